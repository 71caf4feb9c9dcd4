/* The Prometheus API: of a data source through the proxy, or of this very server (role "metrics").
 * Times in and out are epoch milliseconds; values are numbers, with NaN and the infinities as they are. */
import { request, ApiError } from "./http";

export type Labels = Record<string, string>;
export interface PromHistogram { count: number; sum: number; buckets: [boundaries: number, lower: number, upper: number, count: number][] }
export interface PromSeries { labels: Labels; times: number[]; values: number[]; histograms?: { time: number; value: PromHistogram }[] }
export interface PromResult {
  type: "matrix" | "vector" | "scalar" | "string";
  series: PromSeries[];
  text?: string;
  warnings: string[];
  infos: string[];
}
export interface RangeQuery { query: string; start: number; end: number; step: number; timeout?: string }
export interface Metadata { type: string; help: string; unit: string }

interface Envelope<T> { status: string; data: T; error?: string; warnings?: string[]; infos?: string[] }
interface RawHistogram { count: string; sum: string; buckets?: [number, string, string, string][] }
interface RawSeries { metric: Labels; values?: [number, string][]; value?: [number, string]; histograms?: [number, RawHistogram][]; histogram?: [number, RawHistogram] }
interface RawResult { resultType: PromResult["type"]; result: RawSeries[] | [number, string] }

/* "NaN", "+Inf", "-Inf" or a decimal number. */
export function promNumber(s: string): number {
  const n = +s;
  if (n === n) return n;
  return s === "+Inf" || s === "Inf" ? Infinity : s === "-Inf" ? -Infinity : NaN;
}

/* Queries longer than this go in a body: addresses have limits on the way. */
const urlLengthMax = 1500;
export type Params = Record<string, string | number | string[] | undefined>;
export function encode(params: Params): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    if (v === undefined) continue;
    if (Array.isArray(v)) for (const one of v) q.append(k, one);
    else q.append(k, String(v));
  }
  return q.toString();
}

/* GET while the address is short, else POST with a form, which both APIs accept for their queries. */
export async function call<T>(path: string, params: Params, signal?: AbortSignal, more?: Record<string, string>): Promise<Envelope<T>> {
  const form = encode(params);
  const headers = { accept: "application/json", ...more };
  const res =
    form.length <= urlLengthMax
      ? await request(path + (form ? "?" + form : ""), { signal, headers })
      : await request(path, { method: "POST", body: form, signal, headers: { ...headers, "content-type": "application/x-www-form-urlencoded" } });
  let j: Envelope<T>;
  try {
    j = (await res.json()) as Envelope<T>;
  } catch (e) {
    if ((e as Error).name === "AbortError") throw e;
    throw new ApiError("The data source's answer is not JSON.", res.status, "Does its address point at a Prometheus or Loki API?");
  }
  if (j.status === "error") throw new ApiError(j.error ?? "The query failed.", res.status, "Check the query.");
  return j;
}

function histogramOf([t, h]: [number, RawHistogram]): { time: number; value: PromHistogram } {
  const buckets = (h.buckets ?? []).map(([b, lo, hi, n]): [number, number, number, number] => [b, promNumber(lo), promNumber(hi), promNumber(n)]);
  return { time: t * 1000, value: { count: promNumber(h.count), sum: promNumber(h.sum), buckets } };
}

export function seriesOf(raw: RawSeries): PromSeries {
  const points = raw.values ?? (raw.value ? [raw.value] : []);
  const times = new Array<number>(points.length);
  const values = new Array<number>(points.length);
  for (let i = 0; i < points.length; i++) {
    times[i] = Math.round(points[i]![0] * 1000);
    values[i] = promNumber(points[i]![1]);
  }
  const histograms = raw.histograms ?? (raw.histogram ? [raw.histogram] : undefined);
  return { labels: raw.metric, times, values, ...(histograms && { histograms: histograms.map(histogramOf) }) };
}

export function resultOf(e: Envelope<RawResult>): PromResult {
  const rest = { warnings: e.warnings ?? [], infos: e.infos ?? [] };
  const { resultType: type, result } = e.data;
  if (type === "matrix" || type === "vector") return { type, series: (result as RawSeries[]).map(seriesOf), ...rest };
  const [t, text] = result as [number, string];
  if (type === "string") return { type, series: [], text, ...rest };
  return { type, series: [{ labels: {}, times: [Math.round(t * 1000)], values: [promNumber(text)] }], ...rest };
}

const seconds = (ms: number) => ms / 1000;

export class Prom {
  /* root is "" for this server itself. */
  constructor(readonly root: string) {}

  async range(q: RangeQuery, signal?: AbortSignal): Promise<PromResult> {
    return resultOf(await call(`${this.root}/api/v1/query_range`, { query: q.query, start: seconds(q.start), end: seconds(q.end), step: seconds(q.step), timeout: q.timeout }, signal));
  }
  async instant(query: string, time: number, signal?: AbortSignal): Promise<PromResult> {
    return resultOf(await call(`${this.root}/api/v1/query`, { query, time: seconds(time) }, signal));
  }
  async labels(o: { match?: string[]; start?: number; end?: number; limit?: number } = {}, signal?: AbortSignal): Promise<string[]> {
    return (await call<string[]>(`${this.root}/api/v1/labels`, span(o), signal)).data;
  }
  async labelValues(label: string, o: { match?: string[]; start?: number; end?: number; limit?: number } = {}, signal?: AbortSignal): Promise<string[]> {
    return (await call<string[]>(`${this.root}/api/v1/label/${encodeURIComponent(labelInPath(label))}/values`, span(o), signal)).data;
  }
  async series(match: string[], o: { start?: number; end?: number; limit?: number } = {}, signal?: AbortSignal): Promise<Labels[]> {
    return (await call<Labels[]>(`${this.root}/api/v1/series`, span({ ...o, match }), signal)).data;
  }
  async metadata(o: { metric?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Record<string, Metadata[]>> {
    return (await call<Record<string, Metadata[]>>(`${this.root}/api/v1/metadata`, { ...o }, signal)).data;
  }
  /* Any other GET of the API: prom.get("status/tsdb", {limit: 10}). */
  async get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
    return (await call<T>(`${this.root}/api/v1/${path}`, params, signal)).data;
  }
}

function span(o: { match?: string[]; start?: number; end?: number; limit?: number }): Params {
  return {
    "match[]": o.match,
    start: o.start === undefined ? undefined : seconds(o.start),
    end: o.end === undefined ? undefined : seconds(o.end),
    limit: o.limit,
  };
}

/* A label name that is no plain identifier is written in the U__ form in addresses. */
function labelInPath(label: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) return label;
  let out = "U__";
  for (const c of label) out += c === "_" ? "__" : /[a-zA-Z0-9:]/.test(c) ? c : `_${c.codePointAt(0)!.toString(16)}_`;
  return out;
}

export const proxyPath = (uid: string) => `/api/datasources/proxy/uid/${encodeURIComponent(uid)}`;
export const promOf = (source: { uid: string }) => new Prom(proxyPath(source.uid));
export const promHere = new Prom("");

/* {a="b"} as Prometheus writes it, the name in front. */
export function labelsText(labels: Labels): string {
  const { __name__: name, ...rest } = labels;
  const inner = Object.entries(rest).map(([k, v]) => `${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(k) ? k : JSON.stringify(k)}=${JSON.stringify(v)}`);
  return (name ?? "") + (inner.length || !name ? `{${inner.join(", ")}}` : "");
}
