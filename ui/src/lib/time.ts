/* Times as Grafana writes them: "now-6h", "now/d", "now-1d/d", epoch milliseconds, ISO dates; and durations ("5m"). */
import { fromWall, toWall, type Zone } from "./zone";

export interface RawRange { from: string; to: string }
export interface TimeRange { from: number; to: number; raw: RawRange }

type Unit = "s" | "m" | "h" | "d" | "w" | "M" | "Q" | "y";
const fixed: Partial<Record<Unit, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

function addWall(wall: Date, n: number, unit: Unit): Date {
  const d = new Date(wall);
  if (unit === "d") d.setUTCDate(d.getUTCDate() + n);
  else if (unit === "w") d.setUTCDate(d.getUTCDate() + 7 * n);
  else {
    /* The 31st plus one month is the last day of the next month. */
    const months = unit === "y" ? 12 * n : unit === "Q" ? 3 * n : n;
    const day = d.getUTCDate();
    d.setUTCDate(1);
    d.setUTCMonth(d.getUTCMonth() + months);
    d.setUTCDate(Math.min(day, new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate()));
  }
  return d;
}

/* weekStart: 0 Sunday .. 6 Saturday. fiscal: month (0-11) in which the fiscal year starts. */
export interface TimeOptions { zone?: Zone; weekStart?: number; fiscal?: number; now?: number }

function startOf(wall: Date, unit: Unit, fiscalUnit: boolean, o: TimeOptions): Date {
  const d = new Date(wall);
  if (fixed[unit]) return new Date(Math.floor(d.getTime() / fixed[unit]) * fixed[unit]);
  d.setUTCHours(0, 0, 0, 0);
  if (unit === "w") d.setUTCDate(d.getUTCDate() - ((d.getUTCDay() - (o.weekStart ?? 0) + 7) % 7));
  if (unit === "M" || unit === "Q" || unit === "y") d.setUTCDate(1);
  const shift = fiscalUnit ? (o.fiscal ?? 0) : 0;
  if (unit === "Q") d.setUTCMonth(d.getUTCMonth() - ((d.getUTCMonth() - shift + 12) % 3));
  if (unit === "y") d.setUTCMonth(d.getUTCMonth() - ((d.getUTCMonth() - shift + 12) % 12));
  return d;
}

/* Walks "-6h/d+1h" from a starting instant; null when it is not date maths. */
function applyMath(start: number, math: string, roundUp: boolean, o: TimeOptions): number | null {
  const zone = o.zone ?? "browser";
  let ts = start;
  const token = /([+\-/])\s*(\d*)\s*(f[Qy]|[smhdwMQy])/gy;
  let at = 0;
  while (at < math.length) {
    token.lastIndex = at;
    const m = token.exec(math);
    if (!m) return null;
    at = token.lastIndex;
    const fiscalUnit = m[3]!.length === 2;
    const unit = (fiscalUnit ? m[3]![1] : m[3]) as Unit;
    const n = m[2] ? +m[2] : 1;
    if (m[1] === "/") {
      if (n !== 1) return null;
      const floor = startOf(toWall(ts, zone), unit, fiscalUnit, o);
      if (!roundUp) ts = fromWall(floor.getTime(), zone);
      else ts = (fixed[unit] ? fromWall(floor.getTime(), zone) + fixed[unit] : fromWall(addWall(floor, 1, unit).getTime(), zone)) - 1;
    } else {
      const signed = m[1] === "-" ? -n : n;
      ts = fixed[unit] ? ts + signed * fixed[unit] : fromWall(addWall(toWall(ts, zone), signed, unit).getTime(), zone);
    }
  }
  return ts;
}

/* A date without zone is a wall time of the zone. A time that stops at the day ends with that day when rounded up. */
function parseDate(text: string, roundUp: boolean, zone: Zone): number | null {
  const m = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/.exec(text);
  if (!m) {
    const c = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})$/.exec(text);
    return c ? fromWall(Date.UTC(+c[1]!, +c[2]! - 1, +c[3]!, +c[4]!, +c[5]!, +c[6]!), zone) : null;
  }
  const [y, mo, d, h, mi, s] = [m[1], m[2], m[3], m[4] ?? 0, m[5] ?? 0, m[6] ?? 0].map(Number) as [number, number, number, number, number, number];
  const ms = m[7] ? Math.floor(+("0." + m[7]) * 1000) : 0;
  let wall = Date.UTC(y, mo - 1, d, h, mi, s, ms);
  const check = new Date(wall);
  if (check.getUTCMonth() !== mo - 1 || check.getUTCDate() !== d || h > 23 || mi > 59 || s > 59) return null;
  if (m[4] === undefined && roundUp) wall += 86_400_000 - 1;
  if (!m[8]) return fromWall(wall, zone);
  if (m[8] === "Z") return wall;
  const z = /([+-])(\d{2}):?(\d{2})/.exec(m[8])!;
  return wall - (z[1] === "-" ? -1 : 1) * (+z[2]! * 60 + +z[3]!) * 60_000;
}

/* Milliseconds, or null when the text is no time. roundUp decides which end of "/d" is meant: true for a range's end. */
export function parseTime(text: string, roundUp = false, o: TimeOptions = {}): number | null {
  const t = text.trim();
  if (/^-?\d+$/.test(t) && t.length !== 8) return +t;
  if (t.startsWith("now")) return applyMath(o.now ?? Date.now(), t.slice(3), roundUp, o);
  const cut = t.indexOf("||");
  const start = parseDate(cut < 0 ? t : t.slice(0, cut), roundUp, o.zone ?? "browser");
  return start === null || cut < 0 ? start : applyMath(start, t.slice(cut + 2), roundUp, o);
}

export function parseRange(raw: RawRange, o: TimeOptions = {}): TimeRange | null {
  const now = o.now ?? Date.now();
  const from = parseTime(raw.from, false, { ...o, now });
  const to = parseTime(raw.to, true, { ...o, now });
  return from === null || to === null ? null : { from, to, raw };
}

export const isRelative = (raw: RawRange) => raw.from.includes("now") || raw.to.includes("now");

const unitWords: Record<string, string> = { s: "second", m: "minute", h: "hour", d: "day", w: "week", M: "month", y: "year", Q: "quarter" };
const quick: [string, string, string][] = [
  ["now/d", "now/d", "Today"],
  ["now/d", "now", "Today so far"],
  ["now-1d/d", "now-1d/d", "Yesterday"],
  ["now-2d/d", "now-2d/d", "Day before yesterday"],
  ["now-7d/d", "now-7d/d", "This day last week"],
  ["now/w", "now/w", "This week"],
  ["now/w", "now", "This week so far"],
  ["now-1w/w", "now-1w/w", "Previous week"],
  ["now/M", "now/M", "This month"],
  ["now/M", "now", "This month so far"],
  ["now-1M/M", "now-1M/M", "Previous month"],
  ["now/y", "now/y", "This year"],
  ["now/y", "now", "This year so far"],
  ["now-1y/y", "now-1y/y", "Previous year"],
];
const last = ["5m", "15m", "30m", "1h", "3h", "6h", "12h", "24h", "2d", "7d", "30d", "90d", "6M", "1y", "2y", "5y"];
export const quickRanges: { from: string; to: string; label: string }[] = [
  ...last.map((d) => ({ from: `now-${d}`, to: "now", label: lastLabel(d)! })),
  ...quick.map(([from, to, label]) => ({ from, to, label })),
];

function lastLabel(span: string): string | null {
  const m = /^(\d+)([smhdwMyQ])$/.exec(span);
  return m ? `Last ${m[1]} ${unitWords[m[2]!]}${m[1] === "1" ? "" : "s"}` : null;
}

/* "Last 6 hours", "Today", or from and to in full. */
export function describeRange(raw: RawRange, o: TimeOptions = {}): string {
  const known = quick.find(([f, t]) => f === raw.from && t === raw.to);
  if (known) return known[2];
  if (raw.to === "now" && raw.from.startsWith("now-")) {
    const text = lastLabel(raw.from.slice(4));
    if (text) return text;
  }
  return `${describeTime(raw.from, false, o)} to ${describeTime(raw.to, true, o)}`;
}
function describeTime(t: string, roundUp: boolean, o: TimeOptions): string {
  if (t.includes("now")) return t;
  const ts = parseTime(t, roundUp, o);
  return ts === null ? t : formatTime(ts, o.zone ?? "browser");
}

/* "2026-11-26 08:15:30", with ".123" when asked. */
export function formatTime(ts: number, zone: Zone = "browser", millis = false): string {
  if (!isFinite(ts)) return "";
  const iso = toWall(ts, zone).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, millis ? 23 : 19)}`;
}

/* "1h30m", "15s", "500ms", "2w"; a plain number is seconds. Null when it is no duration. */
const durationMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, M: 2_629_800_000, y: 31_557_600_000 };
export function parseDuration(text: string): number | null {
  const t = text.trim();
  if (/^\d+(\.\d+)?$/.test(t)) return +t * 1000;
  let total = 0;
  let rest = t;
  while (rest) {
    const m = /^(\d+(?:\.\d+)?)\s*(ms|[smhdwMy])\s*/.exec(rest);
    if (!m) return null;
    total += +m[1]! * durationMs[m[2]!]!;
    rest = rest.slice(m[0].length);
  }
  return t ? total : null;
}

/* The largest unit that divides it: 90000 is "90s", 3600000 is "1h". */
export function durationText(ms: number): string {
  for (const u of ["d", "h", "m", "s"] as const) if (ms >= durationMs[u]! && ms % durationMs[u]! === 0) return `${ms / durationMs[u]!}${u}`;
  return `${ms}ms`;
}

/* Ranges for the buttons beside the picker. */
export const zoomedOut = (r: { from: number; to: number }) => {
  const mid = (r.from + r.to) / 2;
  const half = Math.max(r.to - r.from, 500);
  return { from: Math.round(mid - half), to: Math.round(mid + half) };
};
export const shifted = (r: { from: number; to: number }, direction: -1 | 1, now = Date.now()) => {
  const by = Math.round((r.to - r.from) / 2) * direction;
  const past = direction > 0 && r.to + by > now ? Math.max(now - r.to, 0) : by;
  return { from: r.from + past, to: r.to + past };
};
