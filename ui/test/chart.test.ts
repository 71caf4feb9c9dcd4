import assert from "node:assert/strict";
import { test } from "node:test";
import { breakGaps, bridgeGaps, joinSeries } from "../src/charts/join";
import { stackSeries } from "../src/charts/stack";
import { numberTicks, timeTicks } from "../src/charts/ticks";
import { plain, unitFormat } from "../src/semantics/units";

test("series with clocks of their own are joined without inventing gaps", () => {
  const j = joinSeries([{ times: [1, 3], values: [10, null] }, { times: [2, 3], values: [20, 30] }]);
  assert.deepEqual(j.times, [1, 2, 3]);
  assert.deepEqual(j.columns, [[10, undefined, null], [undefined, 20, 30]]);
});
test("a gap stays one where another series has times of its own in it", () => {
  const j = joinSeries([{ times: [1, 3, 9], values: [10, null, 11] }, { times: [2, 4, 5, 9], values: [1, 2, 3, 4] }]);
  assert.deepEqual(j.columns[0], [10, null, null, null, null, 11]);
});
test("a missing step breaks the line; short gaps are bridged on request", () => {
  assert.deepEqual(breakGaps([0, 10, 40], [1, 2, 3], 10), { times: [0, 10, 20, 40], values: [1, 2, null, 3] });
  assert.deepEqual(bridgeGaps([0, 10, 20, 90], [1, null, 2, 3], 30), [1, undefined, 2, 3]);
  assert.deepEqual(bridgeGaps([0, 10, 99], [1, null, 2], 30), [1, null, 2]);
});
test("stacks add up, positive and negative apart, percent to one", () => {
  const s = stackSeries([{ values: [1, 2], group: "a" }, { values: [3, null], group: "a" }, { values: [-1, -1], group: "a" }, { values: [9, 9] }]);
  assert.deepEqual(s.map((x) => x.values), [[1, 2], [4, null], [-1, -1], [9, 9]]);
  assert.deepEqual(s.map((x) => x.below), [-1, 0, -1, -1]);
  assert.deepEqual(stackSeries([{ values: [1], group: "a", percent: true }, { values: [3], group: "a", percent: true }]).map((x) => x.values), [[0.25], [1]]);
});
test("axis labels have the decimals that tell them apart, and no more", () => {
  const f = (unit: string) => (v: number, d?: number) => plain(unitFormat(unit)(v, d));
  assert.deepEqual(numberTicks([0, 0.5, 1, 1.5], f("none")), ["0", "0.5", "1", "1.5"]);
  assert.deepEqual(numberTicks([0, 500, 1000, 1500], f("short")), ["0", "500", "1 K", "1.5 K"]);
  assert.deepEqual(numberTicks([0, 0.1, 0.2], f("percentunit")), ["0%", "10%", "20%"]);
  assert.deepEqual(numberTicks([0, 0.0005, 0.001], f("s")), ["0 s", "500 µs", "1 ms"]);
  assert.deepEqual(numberTicks([0, 10, 20], f("reqps")), ["0 req/s", "10 req/s", "20 req/s"]);
});
test("time labels show the date where the day changes", () => {
  const h = 3_600_000;
  assert.deepEqual(timeTicks([22 * h, 23 * h, 24 * h, 25 * h], h, "utc"), ["22:00", "23:00", "01-02", "01:00"]);
  assert.deepEqual(timeTicks([0, 24 * h], 24 * h, "utc"), ["01-01", "01-02"]);
});
