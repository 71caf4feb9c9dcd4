/* Series with clocks of their own onto one list of times. A time a series does not have is undefined there (nothing
 * to draw, no gap); a null is a gap, and so is every time between the two values around it. */
export type Value = number | null | undefined;
export interface Points { times: ArrayLike<number>; values: ArrayLike<Value> }
export interface Joined { times: number[]; columns: Value[][] }

export function joinSeries(list: Points[]): Joined {
  const first = list[0];
  if (!first) return { times: [], columns: [] };
  if (list.every((p) => p === first || sameTimes(p.times, first.times))) return { times: Array.from(first.times), columns: list.map((p) => Array.from(p.values)) };
  const all = new Set<number>();
  for (const p of list) for (let i = 0; i < p.times.length; i++) all.add(p.times[i]!);
  const times = [...all].sort((a, b) => a - b);
  const place = new Map(times.map((t, i) => [t, i]));
  const columns = list.map((p) => {
    const out = new Array<Value>(times.length).fill(undefined);
    for (let i = 0; i < p.times.length; i++) out[place.get(p.times[i]!)!] = p.values[i];
    widenGaps(out);
    return out;
  });
  return { times, columns };
}

/* A chart breaks its line at nulls only: others' times beside a null must not bridge the gap. */
function widenGaps(values: Value[]): void {
  let last = -1;
  let gap = false;
  values.forEach((v, i) => {
    if (v === null) gap = true;
    else if (v !== undefined) {
      if (gap && last >= 0) values.fill(null, last + 1, i);
      last = i;
      gap = false;
    }
  });
}

function sameTimes(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a === b) return true;
  const n = a.length;
  if (n !== b.length) return false;
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return false;
  return true;
}

/* A null after each point whose successor is more than a step away, so that the line breaks where data is missing. */
export function breakGaps(times: number[], values: Value[], step: number): Points {
  let holes = 0;
  for (let i = 1; i < times.length; i++) if (times[i]! - times[i - 1]! > step * 1.001) holes++;
  if (!holes) return { times, values };
  const t: number[] = [];
  const v: Value[] = [];
  for (let i = 0; i < times.length; i++) {
    if (i && times[i]! - times[i - 1]! > step * 1.001) {
      t.push(times[i - 1]! + step);
      v.push(null);
    }
    t.push(times[i]!);
    v.push(values[i]);
  }
  return { times: t, values: v };
}

/* Gaps shorter than limit are bridged: their nulls become undefined. Infinity bridges all. */
export function bridgeGaps(times: number[], values: Value[], limit: number): Value[] {
  const out = values.slice();
  let last = -1;
  for (let i = 0; i < out.length; i++) {
    const v = out[i];
    if (v === null || v === undefined) continue;
    if (last >= 0 && i - last > 1 && times[i]! - times[last]! <= limit) for (let k = last + 1; k < i; k++) out[k] = undefined;
    last = i;
  }
  return out;
}
