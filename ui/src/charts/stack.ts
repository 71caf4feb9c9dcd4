/* Stacking: each series of a group is drawn on top of those before it. Positive and negative values stack apart. */
import type { Value } from "./join";

export interface StackInput { values: Value[]; group?: string; percent?: boolean; hidden?: boolean }
export interface Stacked { values: Value[]; below: number /* index of the series underneath, -1 for none */ }

const negative = (values: Value[]) => values.some((v) => typeof v === "number" && v < 0) && !values.some((v) => typeof v === "number" && v > 0);

export function stackSeries(list: StackInput[]): Stacked[] {
  const sums = new Map<string, Float64Array>();
  const totals = new Map<string, Float64Array>();
  const top = new Map<string, number>();
  const keys = list.map((s) => (s.group === undefined || s.hidden ? null : `${s.group}|${s.percent ? "%" : ""}|${negative(s.values) ? "-" : "+"}`));
  list.forEach((s, i) => {
    const key = keys[i];
    if (!key || !s.percent) return;
    const total = totals.get(key) ?? new Float64Array(s.values.length);
    s.values.forEach((v, k) => (total[k]! += Math.abs(v ?? 0)));
    totals.set(key, total);
  });
  return list.map((s, i) => {
    const key = keys[i];
    if (!key) return { values: s.values, below: -1 };
    const sum = sums.get(key) ?? new Float64Array(s.values.length);
    sums.set(key, sum);
    const total = totals.get(key);
    const values = s.values.map((v, k) => {
      if (v === null) return null;
      /* A series without a value here still has an edge where the others put it. */
      const share = total ? (total[k] ? (v ?? 0) / total[k]! : 0) : (v ?? 0);
      return (sum[k]! += share);
    });
    const below = top.get(key) ?? -1;
    top.set(key, i);
    return { values, below };
  });
}
