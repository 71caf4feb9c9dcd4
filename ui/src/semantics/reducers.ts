/* One number out of many, by Grafana's ids and with its rules: nulls are left out, NaN too except in last and first. */
type Values = readonly unknown[];
const real = (v: unknown): boolean => v !== null && v !== undefined && !Number.isNaN(v);
const numbers = (values: Values) => values.filter((v): v is number => typeof v === "number" && v === v);
const fold = (values: Values, f: (a: number, b: number) => number): number | null => {
  const all = numbers(values);
  let out = all[0];
  for (let i = 1; i < all.length; i++) out = f(out!, all[i]!);
  return out ?? null;
};
const sum = (values: Values) => numbers(values).reduce((a, b) => a + b, 0);
const firstReal = (values: Values) => values.find(real) ?? null;
const lastReal = (values: Values) => {
  for (let i = values.length - 1; i >= 0; i--) if (real(values[i])) return values[i];
  return null;
};
const ends = (values: Values): [number, number] | null => {
  const [a, b] = [firstReal(values), lastReal(values)];
  return typeof a === "number" && typeof b === "number" ? [a, b] : null;
};

function variance(values: Values): number {
  let mean = 0;
  let squares = 0;
  let n = 0;
  for (const v of values) {
    if (v === null || v === undefined) continue;
    const before = mean;
    mean += ((v as number) - before) / ++n;
    squares += ((v as number) - before) * ((v as number) - mean);
  }
  return n ? squares / n : 0;
}
function median(values: Values): number | null {
  const all = values.filter((v) => v !== null && v !== undefined).map(Number).sort((a, b) => a - b);
  const mid = all.length >> 1;
  return all.length ? (all.length % 2 ? all[mid]! : (all[mid - 1]! + all[mid]!) / 2) : null;
}
function percentile(values: Values, p: number): number | null {
  const all = values.filter((v): v is number => v !== null && v !== undefined).sort((a, b) => a - b);
  return all[Math.round((all.length - 1) * p)] ?? null;
}
/* What a counter grew by: only steps up count, and the step after a fall does not. */
function delta(values: Values): number {
  let total = 0;
  let up = true;
  let last: number | null = null;
  for (const v of numbers(values)) {
    if (last !== null) {
      if (last > v) up = false;
      else {
        if (up) total += v - last;
        up = true;
      }
    }
    last = v;
  }
  return total;
}
function smallestStep(values: Values): number | null {
  const all = numbers(values);
  let out: number | null = null;
  for (let i = 1; i < all.length; i++) out = out === null ? all[i]! - all[i - 1]! : Math.min(out, all[i]! - all[i - 1]!);
  return out;
}
function changes(values: Values): number {
  const all = values.filter((v) => v !== null);
  return all.filter((v, i) => i > 0 && v !== all[i - 1]).length;
}

interface Reducer { name: string; keepsUnit: boolean; of: (values: Values) => unknown }
const table: Record<string, Reducer> = {
  lastNotNull: { name: "Last *", keepsUnit: true, of: lastReal },
  last: { name: "Last", keepsUnit: true, of: (v) => v[v.length - 1] ?? null },
  firstNotNull: { name: "First *", keepsUnit: true, of: firstReal },
  first: { name: "First", keepsUnit: true, of: (v) => v[0] ?? null },
  min: { name: "Min", keepsUnit: true, of: (v) => fold(v, Math.min) },
  max: { name: "Max", keepsUnit: true, of: (v) => fold(v, Math.max) },
  mean: { name: "Mean", keepsUnit: true, of: (v) => (numbers(v).length ? sum(v) / numbers(v).length : null) },
  median: { name: "Median", keepsUnit: true, of: median },
  variance: { name: "Variance", keepsUnit: true, of: variance },
  stdDev: { name: "StdDev", keepsUnit: true, of: (v) => Math.sqrt(variance(v)) },
  sum: { name: "Total", keepsUnit: true, of: sum },
  count: { name: "Count", keepsUnit: false, of: (v) => v.filter((x) => x !== null && x !== undefined).length },
  countAll: { name: "Count all", keepsUnit: false, of: (v) => v.length },
  range: { name: "Range", keepsUnit: true, of: (v) => (numbers(v).length ? fold(v, Math.max)! - fold(v, Math.min)! : null) },
  delta: { name: "Delta", keepsUnit: true, of: delta },
  step: { name: "Step", keepsUnit: true, of: smallestStep },
  diff: { name: "Difference", keepsUnit: true, of: (v) => { const e = ends(v); return e && e[1] - e[0]; } },
  logmin: { name: "Min (above zero)", keepsUnit: true, of: (v) => fold(numbers(v).filter((x) => x > 0), Math.min) },
  allIsZero: { name: "All Zeros", keepsUnit: true, of: (v) => numbers(v).length > 0 && numbers(v).every((x) => x === 0) },
  allIsNull: { name: "All Nulls", keepsUnit: false, of: (v) => !numbers(v).length },
  changeCount: { name: "Change Count", keepsUnit: false, of: changes },
  distinctCount: { name: "Distinct Count", keepsUnit: false, of: (v) => new Set(v.filter((x) => x !== null)).size },
  diffperc: { name: "Difference percent", keepsUnit: false, of: (v) => { const e = ends(v); return e ? ((e[1] - e[0]) / e[0]) * 100 : 0; } },
  allValues: { name: "All values", keepsUnit: false, of: (v) => [...v] },
  uniqueValues: { name: "All unique values", keepsUnit: false, of: (v) => [...new Set(v)] },
};
const aliases: Record<string, string> = { current: "lastNotNull", avg: "mean", total: "sum" };

function find(id: string): Reducer | undefined {
  const known = table[aliases[id] ?? id];
  if (known) return known;
  const p = /^p(\d{1,2})$/.exec(id);
  return p ? { name: `p${p[1]}`, keepsUnit: true, of: (v) => percentile(v, +p[1]! / 100) } : undefined;
}
export const reducerName = (id: string) => find(id)?.name ?? id;
export const reducerKeepsUnit = (id: string) => find(id)?.keepsUnit ?? true;
export const isReducer = (id: string) => find(id) !== undefined;

const ofNothing: Record<string, unknown> = { sum: 0, count: 0, countAll: 0, allIsZero: false, allIsNull: true };

/* Unknown ids give the last value, as a panel should rather show something. */
export function reduce(id: string, values: Values): unknown {
  if (!values.length) return ofNothing[aliases[id] ?? id] ?? null;
  return (find(id) ?? table.lastNotNull!).of(values);
}
