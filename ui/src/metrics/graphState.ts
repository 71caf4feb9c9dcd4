/* The address of the query page, as Prometheus writes it: g0.expr=..., g1.expr=... for several panels. Links out of
 * alerts and old dashboards use it, so older spellings (tab=0, step_input, stacked) are read too. Pure. */
import { parseDuration } from "../lib/time";

export type Tab = "table" | "graph";
export type Density = "low" | "medium" | "high";
export interface PanelState {
  expr: string;
  tab: Tab;
  /* epoch milliseconds; null is now */
  end: number | null;
  moment: number | null;
  rangeMs: number;
  res: { type: "auto"; density: Density } | { type: "fixed" | "custom"; stepMs: number };
  display: "lines" | "stacked";
}

export const emptyPanel = (expr = ""): PanelState => ({ expr, tab: "table", end: null, moment: null, rangeMs: 3_600_000, res: { type: "auto", density: "medium" }, display: "lines" });

/* "2026-11-26 07:00:00", read as UTC. */
function time(text: string | null): number | null {
  if (!text) return null;
  const m = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)/.exec(text);
  const ts = m ? Date.parse(`${m[1]}T${m[2]!.length === 5 ? m[2] + ":00" : m[2]}Z`) : NaN;
  return Number.isNaN(ts) ? null : ts;
}
export const timeText = (ts: number): string => new Date(ts).toISOString().slice(0, 19).replace("T", " ");

function panelOf(get: (key: string) => string | null): PanelState {
  const p = emptyPanel(get("expr") ?? "");
  const tab = get("tab");
  if (tab === "graph" || tab === "0") p.tab = "graph";
  p.end = time(get("end_input"));
  p.moment = time(get("moment_input"));
  p.rangeMs = parseDuration(get("range_input") ?? "") || p.rangeMs;
  const step = +(get("res_step") ?? get("step_input") ?? 0) * 1000;
  const type = get("res_type");
  const density = get("res_density");
  if ((type === "fixed" || type === "custom" || (!type && get("step_input"))) && step > 0) p.res = { type: type === "fixed" ? "fixed" : "custom", stepMs: step };
  else if (density === "low" || density === "high") p.res = { type: "auto", density };
  if (get("display_mode") === "stacked" || get("stacked") === "1") p.display = "stacked";
  return p;
}

export function parsePanels(query: URLSearchParams): PanelState[] {
  const panels: PanelState[] = [];
  for (let i = 0; i < 20; i++) {
    if (![...query.keys()].some((k) => k.startsWith(`g${i}.`))) break;
    panels.push(panelOf((k) => query.get(`g${i}.${k}`)));
  }
  return panels.length ? panels : [emptyPanel()];
}

export function panelsQuery(panels: PanelState[]): string {
  const q = new URLSearchParams();
  panels.forEach((p, i) => {
    const set = (k: string, v: string) => q.set(`g${i}.${k}`, v);
    set("expr", p.expr);
    set("show_tree", "0");
    set("tab", p.tab);
    if (p.end !== null) set("end_input", timeText(p.end));
    if (p.moment !== null) set("moment_input", timeText(p.moment));
    set("range_input", spanText(p.rangeMs));
    set("res_type", p.res.type);
    if (p.res.type === "auto") set("res_density", p.res.density);
    else set("res_step", String(p.res.stepMs / 1000));
    set("display_mode", p.display);
    set("show_exemplars", "0");
  });
  return q.toString();
}

/* "1h30m", as Prometheus writes durations. */
export function spanText(ms: number): string {
  let rest = Math.round(ms);
  let out = "";
  for (const [size, unit] of [[31_536_000_000, "y"], [604_800_000, "w"], [86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1000, "s"], [1, "ms"]] as const) {
    if (rest < size || ((unit === "y" || unit === "w") && rest % size)) continue;
    out += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return out || "0s";
}

const points: Record<Density, number> = { low: 100, medium: 250, high: 750 };
export const stepOf = (p: PanelState): number => (p.res.type === "auto" ? Math.max(Math.floor(p.rangeMs / points[p.res.density] / 1000), 1) * 1000 : p.res.stepMs);

/* The ranges that the minus and plus buttons walk through. */
const spans = ["1s", "10s", "1m", "5m", "15m", "30m", "1h", "2h", "6h", "12h", "1d", "2d", "1w", "2w", "4w", "8w", "1y", "2y"].map((s) => parseDuration(s)!);
export const shorterSpan = (ms: number): number => [...spans].reverse().find((s) => s < ms) ?? ms;
export const longerSpan = (ms: number): number => spans.find((s) => s > ms) ?? ms;
