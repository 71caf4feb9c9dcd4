/* Explore's address: what the page shows is in it, so that a link shows the same. Written as Grafana writes it
 * (?schemaVersion=1&panes={...}); read in that form and in the older ?left=&right=, object or list. Pure. */
export interface ExploreQuery {
  refId: string;
  expr: string;
  hide?: boolean;
  /* metrics: a graph over the range, the values at its end, or both */
  range?: boolean;
  instant?: boolean;
  legendFormat?: string;
  /* least step, "15s" */
  interval?: string;
  /* logs */
  maxLines?: number;
  direction?: "forward" | "backward";
}
export interface PaneState {
  /* uid or name of the data source; empty means the default */
  datasource: string;
  queries: ExploreQuery[];
  range: { from: string; to: string };
}
export interface ExploreState { panes: PaneState[] }

export const defaultRange = { from: "now-1h", to: "now" };
export const emptyPane = (datasource = ""): PaneState => ({ datasource, queries: [{ refId: "A", expr: "" }], range: defaultRange });

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const text = (v: unknown): string => (typeof v === "string" ? v : typeof v === "number" ? String(v) : "");

function queryOf(raw: unknown, i: number): ExploreQuery | null {
  if (!isObject(raw)) return null;
  const q: ExploreQuery = { refId: text(raw.refId) || letter(i), expr: text(raw.expr) };
  if (raw.hide === true) q.hide = true;
  const kind = text(raw.queryType);
  if (typeof raw.range === "boolean") q.range = raw.range;
  if (typeof raw.instant === "boolean") q.instant = raw.instant;
  if (kind === "instant") q.instant = true;
  if (text(raw.legendFormat)) q.legendFormat = text(raw.legendFormat);
  if (text(raw.interval)) q.interval = text(raw.interval);
  if (typeof raw.maxLines === "number" && raw.maxLines > 0) q.maxLines = Math.min(Math.floor(raw.maxLines), 5000);
  if (raw.direction === "forward" || raw.direction === "backward") q.direction = raw.direction;
  return q;
}

/* Grafana names a source as a uid, or as {uid}. */
const sourceOf = (v: unknown): string => (isObject(v) ? text(v.uid) : text(v));

function paneOf(raw: unknown): PaneState | null {
  if (Array.isArray(raw)) {
    /* ["now-1h", "now", "Prometheus", {expr}, ...] */
    const [from, to, source, ...rest] = raw as unknown[];
    const queries = rest.filter((q) => isObject(q) && ("expr" in q || "refId" in q)).map(queryOf);
    return pane(source, queries, { from: text(from), to: text(to) });
  }
  if (!isObject(raw)) return null;
  const range = isObject(raw.range) ? { from: text(raw.range.from), to: text(raw.range.to) } : { from: "", to: "" };
  const list = Array.isArray(raw.queries) ? raw.queries : [];
  const source = raw.datasource ?? (isObject(list[0]) ? list[0].datasource : "");
  return pane(source, list.map(queryOf), range);
}

function pane(source: unknown, queries: (ExploreQuery | null)[], range: { from: string; to: string }): PaneState {
  const kept = queries.filter((q): q is ExploreQuery => q !== null);
  return { datasource: sourceOf(source), queries: kept.length ? kept : [{ refId: "A", expr: "" }], range: range.from && range.to ? range : defaultRange };
}

function json(s: string | null): unknown {
  try {
    return s ? JSON.parse(s) : null;
  } catch {
    return null;
  }
}

export function parseState(query: URLSearchParams): ExploreState {
  const panes = json(query.get("panes"));
  const found = isObject(panes) ? Object.values(panes).map(paneOf) : [paneOf(json(query.get("left"))), paneOf(json(query.get("right")))];
  const kept = found.filter((p): p is PaneState => p !== null).slice(0, 2);
  return { panes: kept.length ? kept : [emptyPane()] };
}

const names = ["a", "b"];
export function stateQuery(s: ExploreState): string {
  const panes: Record<string, unknown> = {};
  s.panes.forEach((p, i) => {
    panes[names[i]!] = { datasource: p.datasource, queries: p.queries.map((q) => ({ ...q, datasource: { uid: p.datasource } })), range: p.range };
  });
  return new URLSearchParams({ schemaVersion: "1", panes: JSON.stringify(panes), orgId: "1" }).toString();
}

export function letter(i: number): string {
  return i < 26 ? String.fromCharCode(65 + i) : letter(Math.floor(i / 26) - 1) + letter(i % 26);
}
export function nextRefId(queries: ExploreQuery[]): string {
  const used = new Set(queries.map((q) => q.refId));
  for (let i = 0; ; i++) if (!used.has(letter(i))) return letter(i);
}
