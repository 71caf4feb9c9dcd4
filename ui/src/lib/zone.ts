/* Wall clocks: what a clock in a time zone shows at an instant, and back. A wall time is a number whose UTC reading
 * is what the clock shows. Zones: "browser", "utc", or an IANA name. */
export type Zone = string;

const formatters = new Map<string, Intl.DateTimeFormat | null>();
function formatter(zone: string): Intl.DateTimeFormat | null {
  let f = formatters.get(zone);
  if (f === undefined) {
    try {
      f = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
    } catch {
      f = null; /* an unknown zone reads as the browser's */
    }
    formatters.set(zone, f);
  }
  return f;
}

/* Milliseconds to add to an instant for the wall time. */
export function zoneOffset(ts: number, zone: Zone): number {
  if (/^(utc|etc\/utc)$/i.test(zone)) return 0;
  const f = zone && zone !== "browser" ? formatter(zone) : null;
  if (!f) return -new Date(ts).getTimezoneOffset() * 60_000;
  const p: Record<string, number> = {};
  for (const part of f.formatToParts(ts)) if (part.type !== "literal") p[part.type] = +part.value;
  return Date.UTC(p.year!, p.month! - 1, p.day!, p.hour!, p.minute!, p.second!) - Math.floor(ts / 1000) * 1000;
}

export function toWall(ts: number, zone: Zone): Date {
  return new Date(ts + zoneOffset(ts, zone));
}

/* In the hour that a clock skips or repeats, the offset in force before the change wins. */
export function fromWall(wall: number, zone: Zone): number {
  const guess = wall - zoneOffset(wall, zone);
  const ts = wall - zoneOffset(guess, zone);
  return ts;
}

export function zoneName(zone: Zone): string {
  if (/^(utc|etc\/utc)$/i.test(zone)) return "UTC";
  return !zone || zone === "browser" ? Intl.DateTimeFormat().resolvedOptions().timeZone || "browser" : zone;
}
