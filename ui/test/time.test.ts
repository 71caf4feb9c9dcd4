import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRange, durationText, formatTime, parseDuration, parseRange, parseTime, shifted, zoomedOut } from "../src/lib/time";
import { fromWall } from "../src/lib/zone";

const now = Date.UTC(2026, 10, 26, 8, 50, 30, 500); /* a Thursday */
const utc = { now, zone: "utc" };
const iso = (text: string, up = false, o = utc as object) => {
  const t = parseTime(text, up, { ...utc, ...o });
  return t === null ? null : new Date(t).toISOString();
};

test("relative times add, subtract and round as in Grafana", () => {
  assert.equal(iso("now"), "2026-11-26T08:50:30.500Z");
  assert.equal(iso("now-6h"), "2026-11-26T02:50:30.500Z");
  assert.equal(iso("now-1h+15m"), "2026-11-26T08:05:30.500Z");
  assert.equal(iso("now/d"), "2026-11-26T00:00:00.000Z");
  assert.equal(iso("now/d", true), "2026-11-26T23:59:59.999Z");
  assert.equal(iso("now-1d/d", true), "2026-11-25T23:59:59.999Z");
  assert.equal(iso("now/w"), "2026-11-22T00:00:00.000Z");
  assert.equal(iso("now/w", false, { weekStart: 1 }), "2026-11-23T00:00:00.000Z");
  assert.equal(iso("now/M"), "2026-11-01T00:00:00.000Z");
  assert.equal(iso("now-1M/M", true), "2026-10-31T23:59:59.999Z");
  assert.equal(iso("now/Q"), "2026-10-01T00:00:00.000Z");
  assert.equal(iso("now/fQ", false, { fiscal: 1 }), "2026-11-01T00:00:00.000Z");
  assert.equal(iso("now/fy", false, { fiscal: 1 }), "2026-02-01T00:00:00.000Z");
  assert.equal(iso("now-1y"), "2025-11-26T08:50:30.500Z");
  assert.equal(iso("now/h", true), "2026-11-26T08:59:59.999Z");
});

test("the last day of a longer month becomes the last day of a shorter one", () => {
  assert.equal(iso("now-1M", false, { now: Date.UTC(2026, 2, 31) }), "2026-02-28T00:00:00.000Z");
});

test("days follow the zone's clock across a change of the clock", () => {
  const zone = "Europe/Berlin"; /* 2026-10-25: back one hour */
  assert.equal(iso("now/d", false, { now: Date.UTC(2026, 9, 25, 12), zone }), "2026-10-24T22:00:00.000Z");
  assert.equal(iso("now/d", true, { now: Date.UTC(2026, 9, 25, 12), zone }), "2026-10-25T22:59:59.999Z");
  assert.equal(iso("now-1d", false, { now: Date.UTC(2026, 9, 26, 11), zone }), "2026-10-25T11:00:00.000Z");
  assert.equal(fromWall(Date.UTC(2026, 6, 1, 12), zone), Date.UTC(2026, 6, 1, 10));
});

test("absolute times: epoch, ISO and plain dates", () => {
  assert.equal(iso("1764146400000"), "2025-11-26T08:40:00.000Z");
  assert.equal(iso("2026-11-26T08:00:00.000Z"), "2026-11-26T08:00:00.000Z");
  assert.equal(iso("2026-11-26T08:00:00+02:00"), "2026-11-26T06:00:00.000Z");
  assert.equal(iso("2026-11-26 08:00:00"), "2026-11-26T08:00:00.000Z");
  assert.equal(iso("2026-11-26", true), "2026-11-26T23:59:59.999Z");
  assert.equal(iso("2026-11-26||-1d"), "2026-11-25T00:00:00.000Z");
});

test("what is no time is refused", () => {
  for (const bad of ["", "yesterday", "now-", "now-6", "now-6x", "now/2d", "2026-13-01", "2026-02-30", "now6h"]) assert.equal(iso(bad), null, bad);
});

test("ranges have names", () => {
  assert.equal(describeRange({ from: "now-6h", to: "now" }), "Last 6 hours");
  assert.equal(describeRange({ from: "now-1h", to: "now" }), "Last 1 hour");
  assert.equal(describeRange({ from: "now-45m", to: "now" }), "Last 45 minutes");
  assert.equal(describeRange({ from: "now/d", to: "now/d" }), "Today");
  assert.equal(describeRange({ from: "1764146400000", to: "1764150000000" }, { zone: "utc" }), "2025-11-26 08:40:00 to 2025-11-26 09:40:00");
  assert.equal(describeRange({ from: "now-7d", to: "now-1d" }), "now-7d to now-1d");
});

test("durations", () => {
  assert.equal(parseDuration("1h30m"), 5_400_000);
  assert.equal(parseDuration("500ms"), 500);
  assert.equal(parseDuration("15"), 15_000);
  assert.equal(parseDuration("1x"), null);
  assert.equal(parseDuration(""), null);
  assert.equal(durationText(90_000), "90s");
  assert.equal(durationText(7_200_000), "2h");
});

test("zooming out doubles the range, shifting moves it by half and not past now", () => {
  assert.deepEqual(zoomedOut({ from: 1000, to: 3000 }), { from: 0, to: 4000 });
  assert.deepEqual(shifted({ from: 1000, to: 3000 }, -1, 9000), { from: 0, to: 2000 });
  assert.deepEqual(shifted({ from: 7000, to: 8500 }, 1, 9000), { from: 7500, to: 9000 });
  assert.equal(parseRange({ from: "now-5m", to: "soon" }, utc), null);
  assert.equal(formatTime(now, "utc", true), "2026-11-26 08:50:30.500");
});
