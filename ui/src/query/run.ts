/* A panel's targets to frames. Each target fails alone; what arrived is shown. */
import { lokiOf } from "../api/loki";
import { promOf } from "../api/prom";
import { resolveSource } from "../model/variable_sources";
import { interpolate, queryFormat, type Lookup } from "../model/interpolate";
import type { Panel, Target } from "../model/types";
import { durationText, parseDuration } from "../lib/time";
import { zoneOffset, type Zone } from "../lib/zone";
import type { DataSource } from "../boot";
import type { Frame } from "../semantics/frame";
import { heatmapFrames, logFrame, tableFrame, timeSeriesFrames } from "./frames";
import { align, intervalText, limitOf, stepFor, type Step } from "./interval";
import { Pool } from "./pool";

export interface QueryContext { from: number; to: number; width: number; zone: Zone; lookup: Lookup; signal: AbortSignal }
export interface Asked { refId: string; source: string; expr: string; step?: number }
export interface PanelData {
  frames: Frame[];
  /* one entry a failed target */
  errors: { refId: string; error: unknown }[];
  notices: string[];
  asked: Asked[];
  from: number;
  to: number;
}

export const pool = new Pool(6);

/* The variables that exist only while a query runs. */
export function queryBuiltins(s: Step, from: number, to: number): Record<string, string> {
  const range = to - from;
  return {
    __interval: intervalText(s.interval),
    __interval_ms: String(s.interval),
    __rate_interval: durationText(s.rateInterval),
    __rate_interval_ms: String(s.rateInterval),
    __auto: intervalText(s.interval),
    __range: `${Math.round(range / 1000)}s`,
    __range_s: String(Math.round(range / 1000)),
    __range_ms: String(range),
  };
}
export function withBuiltins(lookup: Lookup, extra: Record<string, string>): Lookup {
  return (name) => (Object.hasOwn(extra, name) ? { value: extra[name]!, text: extra[name]! } : lookup(name));
}

const stopWords = /\$(?:\{)?__rate_interval\b/;

interface Job { target: Target; refId: string; source: DataSource; step: Step; expr: string; start: number; end: number; several: boolean }

function jobOf(panel: Panel, target: Target, i: number, several: boolean, ctx: QueryContext): Job {
  const refId = target.refId || String.fromCharCode(65 + i);
  const ref = isMixed(panel.datasource) ? target.datasource : (target.datasource ?? panel.datasource);
  const source = resolveSource(ref, ctx.lookup);
  if (!source) {
    const name = typeof ref === "string" ? ref : (ref?.uid ?? ref?.type ?? "");
    throw new Error(`The data source “${interpolate(name ?? "", ctx.lookup)}” is not known here. Add it, or choose another for this panel.`);
  }
  if (source.type !== "prometheus" && source.type !== "loki") throw new Error(`Data sources of type “${source.type}” cannot be queried here.`);
  const scrape = limitOf(source.jsonData?.timeInterval, source.type === "loki" ? 1000 : 15_000);
  const minText = interpolate(target.interval || panel.interval || "", ctx.lookup);
  let step = stepFor({
    range: ctx.to - ctx.from,
    maxDataPoints: panel.maxDataPoints || ctx.width,
    minInterval: stopWords.test(target.interval ?? "") ? undefined : minText,
    scrapeInterval: scrape,
    factor: source.type === "loki" ? target.resolution : target.intervalFactor,
  });
  /* "min step = $__rate_interval" makes the rate interval the step */
  if (stopWords.test(target.interval ?? "")) step = { ...step, step: step.rateInterval, interval: step.rateInterval };
  if (source.type === "loki" && target.step) step = { ...step, step: limitOf(interpolate(String(target.step), withBuiltins(ctx.lookup, queryBuiltins(step, ctx.from, ctx.to))), step.step) };
  const lookup = withBuiltins(ctx.lookup, queryBuiltins(step, ctx.from, ctx.to));
  const [start, end] = source.type === "prometheus" ? align(ctx.from, ctx.to, step.step, zoneOffset(ctx.from, ctx.zone)) : [ctx.from, ctx.to];
  return { target, refId, source, step, expr: interpolate(target.expr ?? "", lookup, queryFormat), start, end, several };
}
const isMixed = (ref: Panel["datasource"]) => (typeof ref === "string" ? ref : ref?.uid) === "-- Mixed --";

async function prometheus(j: Job, ctx: QueryContext): Promise<{ frames: Frame[]; notices: string[] }> {
  const prom = promOf(j.source);
  const { target } = j;
  const naming = { expr: j.expr, legend: interpolate(target.legendFormat ?? "", ctx.lookup) || undefined, refId: j.refId, step: j.step.step };
  const wantInstant = target.instant === true;
  const wantRange = target.range === true || !wantInstant;
  const parts = await Promise.all([
    wantRange
      ? pool.run(`r|${prom.root}|${j.expr}|${j.start}|${j.end}|${j.step.step}`, (s) => prom.range({ query: j.expr, start: j.start, end: j.end, step: j.step.step }, s), ctx.signal)
      : null,
    wantInstant ? pool.run(`i|${prom.root}|${j.expr}|${j.end}`, (s) => prom.instant(j.expr, ctx.to, s), ctx.signal) : null,
  ]);
  const frames: Frame[] = [];
  const notices = new Set<string>();
  for (const r of parts) {
    if (!r) continue;
    for (const w of [...r.warnings, ...r.infos]) notices.add(w);
    if (target.format === "table") frames.push(tableFrame(r, naming, j.several));
    else if (target.format === "heatmap") frames.push(...heatmapFrames(r, naming));
    else frames.push(...timeSeriesFrames(r, naming));
  }
  return { frames, notices: [...notices] };
}

const metricQuery = /^\s*(?:[a-z_]+\s*(?:by\s*\(|without\s*\(|\()|[-+]?\d|\()/i;

async function loki(j: Job, ctx: QueryContext): Promise<{ frames: Frame[]; notices: string[] }> {
  const api = lokiOf(j.source);
  const { target } = j;
  const limit = target.maxLines || Number(j.source.jsonData?.maxLines) || 1000;
  const key = `${j.source.uid}|${j.expr}|${j.start}|${j.end}|${j.step.step}|${limit}|${target.direction ?? ""}`;
  const naming = { expr: j.expr, legend: interpolate(target.legendFormat ?? "", ctx.lookup) || undefined, refId: j.refId, step: j.step.step };
  const instant = target.queryType === "instant" || target.instant === true;
  const r = instant && metricQuery.test(j.expr)
    ? await pool.run("li|" + key, (s) => api.instant(j.expr, j.end, {}, s), ctx.signal)
    : await pool.run("lr|" + key, (s) => api.range({ query: j.expr, start: j.start, end: j.end, step: j.step.step, limit, direction: target.direction ?? "backward" }, s), ctx.signal);
  const frames = r.type === "streams" ? [logFrame(r, naming)] : timeSeriesFrames(r, naming);
  return { frames, notices: r.warnings };
}

/* timeFrom ("6h", "now-6h") and timeShift ("1d") of a panel. */
export function panelRange(panel: Panel, ctx: { from: number; to: number; lookup: Lookup }): { from: number; to: number; note: string } {
  let { from, to } = ctx;
  const notes: string[] = [];
  const own = parseDuration(interpolate(panel.timeFrom ?? "", ctx.lookup).replace(/^now-/, ""));
  if (own) {
    from = to - own;
    notes.push(`Last ${durationText(own)}`);
  }
  const shift = parseDuration(interpolate(panel.timeShift ?? "", ctx.lookup));
  if (shift) {
    from -= shift;
    to -= shift;
    notes.push(`shifted by ${durationText(shift)}`);
  }
  return { from, to, note: notes.join(", ") };
}

export async function runPanel(panel: Panel, given: QueryContext): Promise<PanelData> {
  const range = panelRange(panel, given);
  const ctx = { ...given, from: range.from, to: range.to };
  const targets = (panel.targets ?? []).filter((t) => !t.hide && (t.expr ?? "").trim() !== "");
  const data: PanelData = { frames: [], errors: [], notices: [], asked: [], from: ctx.from, to: ctx.to };
  const answers = await Promise.all(
    targets.map(async (target, i) => {
      try {
        const j = jobOf(panel, target, i, targets.length > 1, ctx);
        data.asked.push({ refId: j.refId, source: j.source.name, expr: j.expr, step: j.step.step });
        return await (j.source.type === "loki" ? loki : prometheus)(j, ctx);
      } catch (error) {
        if (given.signal.aborted) throw error;
        data.errors.push({ refId: target.refId ?? String.fromCharCode(65 + i), error });
        return null;
      }
    }),
  );
  for (const a of answers) {
    if (!a) continue;
    data.frames.push(...a.frames);
    for (const n of a.notices) if (!data.notices.includes(n)) data.notices.push(n);
  }
  return data;
}
