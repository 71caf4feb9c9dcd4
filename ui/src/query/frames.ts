/* Answers of the APIs as frames. */
import { compareNs, type LogLine, type LokiResult } from "../api/loki";
import { labelsText, type PromResult, type PromSeries } from "../api/prom";
import type { Frame } from "../semantics/frame";

export interface Naming { expr: string; legend?: string; refId?: string; step?: number }

/* legendFormat: "{{label}}"; "__auto" leaves the name to what differs; empty is the whole label set. */
function dataSourceName(s: PromSeries, n: Naming): string | undefined {
  const full = labelsText(s.labels);
  if (n.legend === "__auto") return Object.keys(s.labels).length ? undefined : n.expr;
  if (n.legend) {
    const text = n.legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => s.labels[label] ?? "");
    return text || n.expr;
  }
  return full === "{}" ? n.expr : full;
}

function seriesFrame(s: PromSeries, n: Naming): Frame {
  const histogram = s.times.length ? undefined : s.histograms;
  const times = histogram ? histogram.map((h) => h.time) : s.times;
  const values = histogram ? histogram.map((h) => h.value.count) : s.values;
  return {
    refId: n.refId,
    length: times.length,
    fields: [
      { name: "Time", type: "time", values: times, config: { interval: n.step } },
      { name: "Value", type: "number", values, labels: s.labels, config: { displayNameFromDS: dataSourceName(s, n) } },
    ],
  };
}

export function timeSeriesFrames(r: { series: PromSeries[] }, n: Naming): Frame[] {
  return r.series.map((s) => seriesFrame(s, n));
}

/* One row a sample: Time, a column a label, Value. */
export function tableFrame(r: PromResult, n: Naming, several: boolean): Frame {
  const names = [...new Set(r.series.flatMap((s) => Object.keys(s.labels)))].sort();
  const times: number[] = [];
  const values: number[] = [];
  const columns: string[][] = names.map(() => []);
  for (const s of r.series)
    s.times.forEach((t, i) => {
      times.push(t);
      values.push(s.values[i]!);
      names.forEach((name, c) => columns[c]!.push(s.labels[name] ?? ""));
    });
  return {
    refId: n.refId,
    length: times.length,
    fields: [
      { name: "Time", type: "time", values: times, config: {} },
      ...names.map((name, c) => ({ name, type: "string" as const, values: columns[c]!, config: {} })),
      { name: several ? `Value #${n.refId}` : "Value", type: "number", values, config: {} },
    ],
  };
}

/* Cumulative buckets by `le`: each minus the one below, named by its bound. */
export function heatmapFrames(r: PromResult, n: Naming): Frame[] {
  const bound = (s: PromSeries) => (s.labels.le === "+Inf" ? Infinity : +(s.labels.le ?? NaN));
  const sorted = r.series.filter((s) => bound(s) === bound(s)).sort((a, b) => bound(a) - bound(b));
  let below = new Map<number, number>();
  return sorted.map((s) => {
    const now = new Map(s.times.map((t, i) => [t, s.values[i]!]));
    const values = s.times.map((t, i) => Math.max(0, s.values[i]! - (below.get(t) ?? 0)));
    below = now;
    return {
      refId: n.refId,
      length: s.times.length,
      fields: [
        { name: "Time", type: "time", values: s.times, config: { interval: n.step } },
        { name: s.labels.le!, type: "number", values, labels: { le: s.labels.le! }, config: {} },
      ],
    };
  });
}

/* Newest first, as the API's default direction gives them stream by stream. */
export function logFrame(r: LokiResult, n: Naming): Frame {
  const lines: LogLine[] = [...r.lines].sort((a, b) => compareNs(b.ns, a.ns));
  return {
    refId: n.refId,
    length: lines.length,
    logs: lines,
    fields: [
      { name: "labels", type: "other", values: lines.map((l) => l.labels), config: {} },
      { name: "Time", type: "time", values: lines.map((l) => l.time), config: {} },
      { name: "Line", type: "string", values: lines.map((l) => l.line), config: {} },
      { name: "tsNs", type: "string", values: lines.map((l) => l.ns), config: { custom: { hidden: true } } },
    ],
  };
}
