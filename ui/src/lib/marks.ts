/* Signals for tests and measurements: performance marks, and window.__dash with what is pending and painted. */
interface DashState { pending: number; painted: number; errors: number }
declare global {
  interface Window { __dash: DashState }
}
window.__dash = { pending: 0, painted: 0, errors: 0 };

const seen = new Set<string>();
export function mark(name: string): void {
  if (seen.has(name)) return;
  seen.add(name);
  performance.mark("cairn:" + name);
}

/* Counts belong to one dashboard: what an earlier one still reports is not counted. */
let page = 0;
export function resetDash(): void {
  page++;
  window.__dash = { pending: 0, painted: 0, errors: 0 };
}
/* A panel begins to ask. The number it gets goes with its end. */
export function panelStarted(): number {
  window.__dash.pending++;
  return page;
}
export type PanelEnd = "painted" | "failed" | "left";
export function panelEnded(of: number, how: PanelEnd): void {
  if (of !== page) return;
  const d = window.__dash;
  d.pending--;
  if (how === "left") return;
  if (how === "painted") d.painted++;
  else d.errors++;
  mark("first-panel");
  if (d.pending === 0) mark("all-visible");
}
