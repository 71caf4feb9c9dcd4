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
export function resetDash(): void {
  window.__dash = { pending: 0, painted: 0, errors: 0 };
}
export function panelStarted(): void {
  window.__dash.pending++;
}
export function panelEnded(ok: boolean): void {
  const d = window.__dash;
  d.pending--;
  if (ok) d.painted++;
  else d.errors++;
  mark("first-panel");
  if (d.pending === 0) mark("all-visible");
}
