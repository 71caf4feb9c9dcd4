/* Runs a pane's queries: macros filled in, steps chosen, several at once, cancelled together. */
import { lokiOf, type LogLine, type LokiStats } from "../api/loki";
import { labelsText, promOf, type PromSeries } from "../api/prom";
import type { DataSource } from "../boot";
import { parseDuration } from "../lib/time";
import { align, intervalText, stepFor, type Step } from "../query/interval";
import { isMetric } from "./logqlEdit";
import type { ExploreQuery } from "./state";

export interface Range { from: number; to: number }
export interface QueryOutcome {
  query: ExploreQuery;
  expr: string;
  graph: PromSeries[];
  table: PromSeries[];
  lines: LogLine[];
  scalarText?: string;
  step: number;
  warnings: string[];
  stats?: LokiStats;
  limit?: number;
  ms: number;
  error?: unknown;
}

export const linesDefault = 1000;

export function fillMacros(expr: string, s: Step, r: Range): string {
  const values: Record<string, string> = {
    __interval: intervalText(s.interval),
    __auto: intervalText(Math.max(s.interval, 1000)),
    __interval_ms: String(s.interval),
    __rate_interval: intervalText(s.rateInterval),
    __rate_interval_ms: String(s.rateInterval),
    __range: intervalText(r.to - r.from),
    __range_s: String(Math.round((r.to - r.from) / 1000)),
    __range_ms: String(r.to - r.from),
  };
  return expr.replace(/\$\{(\w+)\}|\$(\w+)/g, (whole, a?: string, b?: string) => values[a ?? b ?? ""] ?? whole);
}

const blank = (query: ExploreQuery): QueryOutcome => ({ query, expr: query.expr, graph: [], table: [], lines: [], step: 0, warnings: [], ms: 0 });

async function runProm(source: DataSource, q: ExploreQuery, r: Range, points: number, signal: AbortSignal): Promise<QueryOutcome> {
  const scrape = parseDuration(source.jsonData?.timeInterval ?? "") || 15_000;
  const s = stepFor({ range: r.to - r.from, maxDataPoints: points, minInterval: q.interval, scrapeInterval: scrape });
  const expr = fillMacros(q.expr, s, r);
  const prom = promOf(source);
  const [start, end] = align(r.from, r.to, s.step);
  const both = q.range === undefined && q.instant === undefined;
  const [graph, table] = await Promise.all([
    both || q.range ? prom.range({ query: expr, start, end, step: s.step }, signal) : null,
    both || q.instant ? prom.instant(expr, r.to, signal) : null,
  ]);
  return {
    ...blank(q),
    expr,
    graph: graph?.series ?? [],
    table: table?.series ?? [],
    scalarText: table?.text,
    step: s.step,
    warnings: [...new Set([...(graph?.warnings ?? []), ...(table?.warnings ?? []), ...(graph?.infos ?? []), ...(table?.infos ?? [])])],
  };
}

async function runLoki(source: DataSource, q: ExploreQuery, r: Range, points: number, signal: AbortSignal): Promise<QueryOutcome> {
  const s = stepFor({ range: r.to - r.from, maxDataPoints: points, minInterval: q.interval, scrapeInterval: 1000 });
  const expr = fillMacros(q.expr, s, r);
  const loki = lokiOf(source);
  const limit = q.maxLines ?? (+(source.jsonData?.maxLines ?? 0) || linesDefault);
  if (isMetric(expr) && q.instant) {
    const res = await loki.instant(expr, r.to, {}, signal);
    return { ...blank(q), expr, table: res.series, step: s.step, warnings: res.warnings, stats: res.stats };
  }
  const [start, end] = isMetric(expr) ? align(r.from, r.to, s.step) : [r.from, r.to];
  const res = await loki.range({ query: expr, start, end, step: isMetric(expr) ? s.step : undefined, limit, direction: q.direction ?? "backward" }, signal);
  return { ...blank(q), expr, graph: res.series, table: res.series.map(lastPoint), lines: res.lines, step: s.step, warnings: res.warnings, stats: res.stats, limit };
}

const lastPoint = (s: PromSeries): PromSeries => ({ labels: s.labels, times: s.times.slice(-1), values: s.values.slice(-1) });

/* Every visible query with a text; a failed one carries its error. Rejects only when cancelled. */
export async function runQueries(source: DataSource, queries: ExploreQuery[], r: Range, points: number, signal: AbortSignal): Promise<QueryOutcome[]> {
  const wanted = queries.filter((q) => !q.hide && q.expr.trim());
  return Promise.all(
    wanted.map(async (q) => {
      const began = performance.now();
      try {
        const out = await (source.type === "loki" ? runLoki : runProm)(source, q, r, points, signal);
        return { ...out, ms: performance.now() - began };
      } catch (error) {
        if (signal.aborted) throw error;
        return { ...blank(q), error, ms: performance.now() - began };
      }
    }),
  );
}

/* {{label}} by its value; without a format the labels, or the query where there are none. */
export function seriesName(s: PromSeries, q: ExploreQuery): string {
  const format = q.legendFormat;
  if (format && format !== "__auto") return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, l: string) => s.labels[l] ?? "");
  return Object.keys(s.labels).length ? labelsText(s.labels) : q.expr;
}
