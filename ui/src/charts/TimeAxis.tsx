/* A time axis in HTML, for pictures that uPlot does not draw. Ticks are at round times of the zone. */
import { fromWall, toWall, type Zone } from "../lib/zone";
import { timeTicks } from "./ticks";

const s = 1000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;
const steps = [s, 5 * s, 10 * s, 15 * s, 30 * s, m, 2 * m, 5 * m, 10 * m, 15 * m, 30 * m, h, 2 * h, 3 * h, 6 * h, 12 * h, d, 2 * d, 7 * d, 14 * d, 30 * d, 90 * d, 365 * d];

export function axisTicks(from: number, to: number, width: number, zone: Zone): { at: number; text: string }[] {
  const most = Math.max(1, Math.floor(width / 70));
  const step = steps.find((x) => (to - from) / x <= most) ?? steps[steps.length - 1]!;
  const out: number[] = [];
  for (let wall = Math.ceil(toWall(from, zone).getTime() / step) * step; ; wall += step) {
    const ts = fromWall(wall, zone);
    if (ts > to || out.length > 200) break;
    out.push(ts);
  }
  const texts = timeTicks(out, step, zone);
  return out.map((at, i) => ({ at, text: texts[i]! }));
}

export function TimeAxis({ from, to, width, zone, left = 0 }: { from: number; to: number; width: number; zone: Zone; left?: number }) {
  return (
    <div className="time-axis" aria-hidden="true" style={{ marginLeft: left, width }}>
      {axisTicks(from, to, width, zone).map((t) => (
        <span key={t.at} style={{ left: `${((t.at - from) / (to - from)) * 100}%` }}>
          {t.text}
        </span>
      ))}
    </div>
  );
}
