/* The metrics engine's pages: addresses of Prometheus' query page, durations, what a query looks at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { selectorsOf } from "../src/metrics/Estimate";
import { emptyPanel, longerSpan, panelsQuery, parsePanels, shorterSpan, spanText, stepOf } from "../src/metrics/graphState";

const panels = (q: string) => parsePanels(new URLSearchParams(q));

test("links of Prometheus are read, old ones included", () => {
  const [p] = panels("g0.expr=up&g0.tab=0&g0.range_input=6h&g0.end_input=2026-11-26%2007:00&g0.stacked=1&g0.step_input=30");
  assert.equal(p!.expr, "up");
  assert.equal(p!.tab, "graph");
  assert.equal(p!.rangeMs, 21_600_000);
  assert.equal(p!.end, Date.UTC(2026, 10, 26, 7));
  assert.equal(p!.display, "stacked");
  assert.deepEqual(p!.res, { type: "custom", stepMs: 30_000 });
  assert.equal(panels("g0.expr=a&g1.expr=b&g1.tab=graph").length, 2);
  assert.deepEqual(panels(""), [emptyPanel()]);
});

test("what is written is read back", () => {
  const p = { ...emptyPanel("rate(x[5m])"), tab: "graph" as const, end: Date.UTC(2026, 0, 2, 3, 4, 5), rangeMs: 5_400_000, res: { type: "auto" as const, density: "high" as const } };
  assert.deepEqual(panels(panelsQuery([p, emptyPanel("b")])), [p, emptyPanel("b")]);
});

test("steps and spans are Prometheus'", () => {
  assert.equal(stepOf(emptyPanel()), 14_000);
  assert.equal(spanText(5_400_000), "1h30m");
  assert.equal(spanText(1500), "1s500ms");
  assert.equal(spanText(86_400_000 * 8), "8d");
  assert.equal(longerSpan(3_600_000), 7_200_000);
  assert.equal(shorterSpan(3_600_000), 1_800_000);
});

test("the selectors of a query are found, once each", () => {
  assert.deepEqual(selectorsOf('sum(rate(a{b="c"}[5m])) / sum(rate(a{b="c"}[5m])) + d'), ['a{b="c"}', "d"]);
  assert.deepEqual(selectorsOf("rate(x[$__rate_interval])"), ["x"]);
  assert.equal(selectorsOf("sum("), null);
  assert.deepEqual(selectorsOf("1 + 1"), []);
});
