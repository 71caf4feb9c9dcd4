/* The step of a range query, as Grafana chooses it. All in milliseconds. */
import { parseDuration } from "../lib/time";

const steps: [below: number, step: number][] = [
  [10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500], [1500, 1000], [3500, 2000], [7500, 5000], [12_500, 10_000], [17_500, 15_000], [25_000, 20_000],
  [45_000, 30_000], [90_000, 60_000], [210_000, 120_000], [450_000, 300_000], [750_000, 600_000], [1_050_000, 900_000], [1_500_000, 1_200_000], [2_700_000, 1_800_000],
  [5_400_000, 3_600_000], [9_000_000, 7_200_000], [16_200_000, 10_800_000], [32_400_000, 21_600_000], [86_400_000, 43_200_000], [604_800_000, 86_400_000],
  [1_814_400_000, 604_800_000], [3_628_800_000, 2_592_000_000],
];
export function roundInterval(ms: number): number {
  return steps.find(([below]) => ms < below)?.[1] ?? 31_536_000_000;
}

/* An answer may hold 11,000 points a series. */
const pointsMax = 11_000;

export interface StepInput {
  range: number;
  maxDataPoints: number;
  /* ">15s" and "15s" are both lower limits */
  minInterval?: string | null;
  scrapeInterval: number;
  factor?: number;
}
export interface Step { step: number; interval: number; rateInterval: number }

export function limitOf(text: string | null | undefined, fallback: number): number {
  const ms = text ? parseDuration(text.replace(/^>=?/, "")) : null;
  return ms && ms > 0 ? ms : fallback;
}

export function stepFor(q: StepInput): Step {
  const floor = limitOf(q.minInterval, q.scrapeInterval);
  const interval = Math.max(roundInterval(q.range / Math.max(q.maxDataPoints, 1)), floor);
  const safe = Math.max(interval, q.range / pointsMax);
  const step = Math.max(1, Math.ceil(safe * (q.factor && q.factor > 0 ? q.factor : 1)));
  return { step, interval: step, rateInterval: Math.max(step + q.scrapeInterval, 4 * q.scrapeInterval) };
}

/* Start and end on multiples of the step in the zone, so that a refresh moves in whole steps. */
export function align(from: number, to: number, step: number, offset = 0): [number, number] {
  return [Math.floor((from + offset) / step) * step - offset, Math.floor((to + offset) / step) * step - offset];
}

/* "90s", "2m", "1h", "1d": Grafana's text for $__interval. */
export function intervalText(ms: number): string {
  for (const [size, unit] of [[31_536_000_000, "y"], [86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1000, "s"]] as const) if (ms >= size) return `${Math.floor(ms / size)}${unit}`;
  return `${Math.max(1, Math.floor(ms))}ms`;
}
