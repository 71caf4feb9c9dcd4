/* The Loki API of a data source. Line times are nanoseconds and stay decimal text, because a double cannot hold them;
 * everything else is milliseconds. */
import { basePath } from "./http";
import { call, promNumber, proxyPath, seriesOf, type Labels, type Params, type PromSeries } from "./prom";

export interface LogLine {
  ns: string;
  time: number;
  line: string;
  labels: Labels;
  metadata: Labels;
  parsed: Labels;
}
export interface LokiResult {
  type: "streams" | "matrix" | "vector" | "scalar";
  lines: LogLine[];
  series: PromSeries[];
  stats?: LokiStats;
  warnings: string[];
}
export interface LokiStats { summary?: { bytesProcessedPerSecond?: number; totalBytesProcessed?: number; totalLinesProcessed?: number; execTime?: number } }
export interface LokiRange { query: string; start: number | string; end: number | string; step?: number; limit?: number; direction?: "forward" | "backward"; interval?: number }

type RawEntry = [string, string] | [string, string, { structuredMetadata?: Labels; parsed?: Labels }];
export interface RawStream { stream: Labels; values: RawEntry[] }
interface RawResult { resultType: LokiResult["type"]; result: unknown; stats?: LokiStats }

/* Milliseconds, or nanoseconds as text, to what the API wants. */
/* Labels of the stream apart from those of the line: what may stand in a selector, and what may not. */
const apart = { "x-loki-response-encoding-flags": "categorize-labels" };
const ns = (t: number | string) => (typeof t === "string" ? t : `${Math.round(t)}000000`);

export function linesOf(streams: RawStream[]): LogLine[] {
  const out: LogLine[] = [];
  for (const s of streams)
    for (const [t, line, more] of s.values)
      out.push({ ns: t, time: t.length > 6 ? +t.slice(0, -6) : 0, line, labels: s.stream, metadata: more?.structuredMetadata ?? {}, parsed: more?.parsed ?? {} });
  return out;
}

/* Nanosecond texts in order: shorter means earlier. */
export function compareNs(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export function lokiResultOf(data: RawResult, warnings: string[] = []): LokiResult {
  const base = { type: data.resultType, lines: [], series: [], stats: data.stats, warnings };
  if (data.resultType === "streams") return { ...base, lines: linesOf(data.result as RawStream[]) };
  if (data.resultType === "scalar") {
    const [t, v] = data.result as [number, string];
    return { ...base, series: [{ labels: {}, times: [t * 1000], values: [promNumber(v)] }] };
  }
  return { ...base, series: (data.result as Parameters<typeof seriesOf>[0][]).map(seriesOf) };
}

export class Loki {
  constructor(readonly root: string) {}

  /* direction "backward" (the API's default) keeps the newest lines within the limit. */
  async range(q: LokiRange, signal?: AbortSignal): Promise<LokiResult> {
    const e = await call<RawResult>(
      `${this.root}/loki/api/v1/query_range`,
      { query: q.query, start: ns(q.start), end: ns(q.end), step: q.step && q.step / 1000, limit: q.limit, direction: q.direction, interval: q.interval && q.interval / 1000 },
      signal,
      apart,
    );
    return lokiResultOf(e.data, e.warnings);
  }
  async instant(query: string, time: number, o: { limit?: number; direction?: "forward" | "backward" } = {}, signal?: AbortSignal): Promise<LokiResult> {
    const e = await call<RawResult>(`${this.root}/loki/api/v1/query`, { query, time: ns(time), ...o }, signal, apart);
    return lokiResultOf(e.data, e.warnings);
  }
  async labels(o: { start?: number; end?: number; query?: string } = {}, signal?: AbortSignal): Promise<string[]> {
    return (await call<string[] | null>(`${this.root}/loki/api/v1/labels`, span(o), signal)).data ?? [];
  }
  async labelValues(label: string, o: { start?: number; end?: number; query?: string } = {}, signal?: AbortSignal): Promise<string[]> {
    return (await call<string[] | null>(`${this.root}/loki/api/v1/label/${encodeURIComponent(label)}/values`, span(o), signal)).data ?? [];
  }
  async series(match: string[], o: { start?: number; end?: number } = {}, signal?: AbortSignal): Promise<Labels[]> {
    return (await call<Labels[] | null>(`${this.root}/loki/api/v1/series`, { ...span(o), "match[]": match }, signal)).data ?? [];
  }
  /* The address of a live tail (WebSocket): frames hold {streams: RawStream[], dropped_entries}. */
  tailUrl(query: string, o: { start?: number; limit?: number; delayFor?: number } = {}): string {
    const q = new URLSearchParams({ query });
    if (o.start !== undefined) q.set("start", ns(o.start));
    if (o.limit !== undefined) q.set("limit", String(o.limit));
    if (o.delayFor !== undefined) q.set("delay_for", String(o.delayFor));
    return `${location.origin.replace(/^http/, "ws")}${basePath()}${this.root}/loki/api/v1/tail?${q}`;
  }
}

function span(o: { start?: number; end?: number; query?: string }): Params {
  return { start: o.start === undefined ? undefined : ns(o.start), end: o.end === undefined ? undefined : ns(o.end), query: o.query };
}

export const lokiOf = (source: { uid: string }) => new Loki(proxyPath(source.uid));
