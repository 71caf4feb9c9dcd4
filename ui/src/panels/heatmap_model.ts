/* A heatmap's cells: from a histogram's buckets, or counted from plain series. */
import { numberFields, timeField, type Frame } from "../semantics/frame";

export interface Cells { times: number[]; step: number; /* upper bounds, ascending */ bounds: number[]; lowest: number; counts: number[][] /* [time][bound] */; most: number }

const boundOf = (name: string): number => (/^\+?inf/i.test(name) ? Infinity : Number(name));

/* Every series is a bucket named by its upper bound. Null when the names are no numbers. */
export function fromBuckets(frames: Frame[]): Cells | null {
  const buckets = frames.flatMap((f) => numberFields(f).map((x) => ({ bound: boundOf(x.labels?.le ?? x.state?.displayName ?? x.name), times: timeField(f)?.values as number[] | undefined, values: x.values as number[] })));
  if (buckets.length < 2 || buckets.some((b) => b.bound !== b.bound || !b.times)) return null;
  buckets.sort((a, b) => a.bound - b.bound);
  const times = [...new Set(buckets.flatMap((b) => b.times!))].sort((a, b) => a - b);
  const place = new Map(times.map((t, i) => [t, i]));
  const counts = times.map(() => new Array<number>(buckets.length).fill(0));
  let most = 0;
  buckets.forEach((b, k) => b.times!.forEach((t, i) => {
    const v = b.values[i];
    if (!Number.isFinite(v)) return;
    counts[place.get(t)!]![k] = v!;
    most = Math.max(most, v!);
  }));
  return { times, step: stepOf(times), bounds: buckets.map((b) => b.bound), lowest: 0, counts, most };
}

/* Values of all series counted into a grid. */
export function fromValues(frames: Frame[], columns: number, rows: number): Cells | null {
  const points: [number, number][] = [];
  for (const f of frames) for (const x of numberFields(f)) x.values.forEach((v, i) => Number.isFinite(v) && points.push([timeField(f)!.values[i] as number, v as number]));
  if (!points.length) return null;
  const [t0, t1] = [Math.min(...points.map((q) => q[0])), Math.max(...points.map((q) => q[0]))];
  const [lo, hi] = [Math.min(...points.map((q) => q[1])), Math.max(...points.map((q) => q[1]))];
  const step = Math.max(1, (t1 - t0) / columns);
  const size = (hi - lo || 1) / rows;
  const times = Array.from({ length: columns + 1 }, (_, i) => t0 + i * step);
  const counts = times.map(() => new Array<number>(rows).fill(0));
  let most = 0;
  for (const [t, v] of points) {
    const c = counts[Math.min(Math.floor((t - t0) / step), columns)]!;
    const k = Math.min(rows - 1, Math.floor((v - lo) / size));
    most = Math.max(most, ++c[k]!);
  }
  return { times, step, bounds: Array.from({ length: rows }, (_, i) => lo + (i + 1) * size), lowest: lo, counts, most };
}

function stepOf(times: number[]): number {
  let least = Infinity;
  for (let i = 1; i < times.length; i++) least = Math.min(least, times[i]! - times[i - 1]!);
  return Number.isFinite(least) ? least : 60_000;
}
