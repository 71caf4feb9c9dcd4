/* Labels along the axes. */
import { toWall, type Zone } from "../lib/zone";

const two = (n: number) => String(n).padStart(2, "0");

/* A tick's text by the distance of ticks; a date where the day changes. Times are milliseconds. */
export function timeTicks(splits: number[], incr: number, zone: Zone): string[] {
  let lastDay = "";
  return splits.map((ts, i) => {
    const w = toWall(ts, zone);
    const [y, mo, d] = [w.getUTCFullYear(), two(w.getUTCMonth() + 1), two(w.getUTCDate())];
    const day = `${mo}-${d}`;
    const hm = `${two(w.getUTCHours())}:${two(w.getUTCMinutes())}`;
    const fresh = i > 0 && day !== lastDay;
    lastDay = day;
    if (incr >= 28 * 86_400_000) return incr >= 360 * 86_400_000 ? String(y) : `${y}-${mo}`;
    if (incr >= 86_400_000) return day;
    if (incr < 1000) return `${hm}:${two(w.getUTCSeconds())}.${String(w.getUTCMilliseconds()).padStart(3, "0")}`;
    if (incr < 60_000) return `${hm}:${two(w.getUTCSeconds())}`;
    return fresh && hm === "00:00" ? day : hm;
  });
}

/* Tick distances for units that count in 1024s. */
export const binarySteps: number[] = Array.from({ length: 80 }, (_, i) => 2 ** (i - 10));

/* One text a tick, with as many decimals as tell them apart and no more zeros than that. */
export function numberTicks(splits: (number | null)[], format: (v: number, decimals?: number) => string, decimals?: number): string[] {
  if (decimals !== undefined) return splits.map((v) => (v === null ? "" : format(v, decimals)));
  const shown = splits.filter((v): v is number => v !== null);
  for (let d = 0; d < 8; d++) {
    const texts = shown.map((v) => format(v, d));
    const exact = d === 7 || (new Set(texts).size === texts.length && shown.every((v, i) => trimZeros(format(v, d + 2)) === trimZeros(texts[i]!)));
    if (exact) return splits.map((v) => (v === null ? "" : trimZeros(format(v, d))));
  }
  return splits.map((v) => (v === null ? "" : format(v)));
}
const trimZeros = (t: string) => t.replace(/(\d)\.(\d*?)0+(?!\d)/, (_, whole: string, part: string) => (part ? `${whole}.${part}` : whole));
