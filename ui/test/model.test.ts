import assert from "node:assert/strict";
import { test } from "node:test";
import { interpolate, queryFormat, variablesIn, type VariableValue } from "../src/model/interpolate";
import { spanOf, setAt } from "../src/model/jsontext";
import { layout } from "../src/model/layout";
import type { Panel, VariableModel } from "../src/model/types";
import { allValue, customOptions, filterOptions, ordered, pickValue, sortOptions, valueOf } from "../src/model/variables";
import { align, intervalText, roundInterval, stepFor } from "../src/query/interval";

const vars: Record<string, VariableValue> = {
  one: { value: "a.b", text: "A" },
  many: { value: ["a.b", "c"], text: "A + C", multi: true },
  single: { value: ["a.b"], text: "A", multi: true },
  all: { value: ".*", text: "All", custom: true, multi: true },
  __from: { value: "1764146400123", text: "" },
};
const look = (n: string) => vars[n];

test("variables in all three spellings; unknown ones stay as written", () => {
  assert.equal(interpolate("$one ${one} [[one]] $nope ${nope:csv} $$", look), "a.b a.b a.b $nope ${nope:csv} $$");
  assert.equal(interpolate("${one.text} ${many:text}", look), "A A + C");
  assert.deepEqual(variablesIn("$a ${b:csv} [[c]] 5$"), ["a", "b", "c"]);
});
test("formats", () => {
  const f = (how: string) => interpolate("${many:" + how + "}", look);
  assert.equal(f("csv"), "a.b,c");
  assert.equal(f("pipe"), "a.b|c");
  assert.equal(f("glob"), "{a.b,c}");
  assert.equal(f("regex"), "(a\\.b|c)");
  assert.equal(f("json"), '["a.b","c"]');
  assert.equal(f("doublequote"), '"a.b","c"');
  assert.equal(f("singlequote"), "'a.b','c'");
  assert.equal(f("queryparam"), "var-many=a.b&var-many=c");
  assert.equal(f("percentencode"), "%7Ba.b%2Cc%7D");
  assert.equal(f("distributed"), "a.b,many=c");
  assert.equal(interpolate("${__from:date:seconds} ${__from:date:YYYY}", look), "1764146400 2025");
});
test("inside a query several values become an alternation, All its own pattern", () => {
  const q = (t: string) => interpolate(t, look, queryFormat);
  assert.equal(q('up{a=~"$many"}'), 'up{a=~"(a\\\\.b|c)"}');
  assert.equal(q('up{a=~"$single"}'), 'up{a=~"a\\\\.b"}');
  assert.equal(q('up{a="$one"}'), 'up{a="a.b"}');
  assert.equal(q('up{a=~"$all"}'), 'up{a=~".*"}');
  const quoted = (t: string) => interpolate(t, () => ({ value: 'x"y', text: "" }), queryFormat);
  assert.equal(quoted('up{a="$v"}'), 'up{a="x\\"y"}');
  assert.equal(quoted("$v"), 'x"y');
});

const model = (m: Partial<VariableModel>): VariableModel => ({ name: "v", type: "query", ...m });
const opts = (...v: string[]) => v.map((x) => ({ value: x, text: x }));

test("options: custom lists, regular expressions with groups, order", () => {
  assert.deepEqual(customOptions("a, Long name : b, c\\,d"), [{ text: "a", value: "a" }, { text: "Long name", value: "b" }, { text: "c,d", value: "c,d" }]);
  assert.deepEqual(filterOptions(opts("api-1", "api-2", "db-1", "api-1"), "/api-(\\d)/"), opts("1", "2"));
  assert.deepEqual(filterOptions(opts('up{job="x"} 1 2'), '/job="(?<text>[^"]+)"} (?<value>\\d)/'), [{ text: "x", value: "1" }]);
  assert.deepEqual(filterOptions(opts("api", "db"), "/^d/"), opts("db"));
  assert.deepEqual(filterOptions(opts("a", "b"), "/[/"), opts("a", "b"));
  const sorted = (n: number, ...v: string[]) => sortOptions(opts(...v), n).map((o) => o.value);
  assert.deepEqual(sorted(1, "b", "B", "a"), ["B", "a", "b"]);
  assert.deepEqual(sorted(3, "x10", "x9"), ["x9", "x10"]);
  assert.deepEqual(sorted(4, "x9", "x10"), ["x10", "x9"]);
  assert.deepEqual(sorted(5, "b", "B", "a"), ["a", "b", "B"]);
});
test("the value: address first, then the dashboard's, then All or the first", () => {
  const o = opts("a", "b");
  assert.deepEqual(pickValue(model({}), o, ["b"], null), ["b"]);
  assert.deepEqual(pickValue(model({ current: { value: "b" } }), o, null, null), ["b"]);
  assert.deepEqual(pickValue(model({ current: { value: "gone" } }), o, null, null), ["a"]);
  assert.deepEqual(pickValue(model({ includeAll: true }), o, null, null), [allValue]);
  assert.deepEqual(pickValue(model({ includeAll: true, multi: true }), o, ["$__all"], null), [allValue]);
  assert.deepEqual(pickValue(model({ includeAll: true }), o, ["All"], null), [allValue]);
  assert.deepEqual(pickValue(model({ multi: true }), o, ["a", "b"], null), ["a", "b"]);
  assert.deepEqual(pickValue(model({}), o, ["elsewhere"], null), ["elsewhere"]);
  assert.deepEqual(pickValue(model({}), [], null, null), []);
});
test("All means every option, or the author's pattern", () => {
  const state = (m: Partial<VariableModel>) => ({ model: model({ includeAll: true, ...m }), options: opts("a", "b"), value: [allValue], texts: [], loading: false, error: null });
  assert.deepEqual(valueOf(state({})).value, ["a", "b"]);
  assert.equal(valueOf(state({ allValue: ".+" })).value, ".+");
});
test("variables come after those they use; circles are found", () => {
  const list = [model({ name: "b", query: "label_values(up{a='$a'}, b)" }), model({ name: "a", query: "label_values(a)" })];
  assert.deepEqual(ordered(list).order.map((m) => m.name), ["a", "b"]);
  const circle = ordered([model({ name: "x", query: "$y" }), model({ name: "y", query: "$x" }), model({ name: "z" })]);
  assert.deepEqual(circle.circular, ["x", "y"]);
  assert.equal(circle.order.length, 3);
});

const panel = (id: number, x: number, y: number, w: number, h: number, more: Partial<Panel> = {}): Panel => ({ id, type: "timeseries", gridPos: { x, y, w, h }, ...more });
test("gaps in the grid close upwards, overlaps move down", () => {
  const [s] = layout([panel(1, 0, 5, 12, 4), panel(2, 12, 5, 12, 2), panel(3, 12, 20, 12, 4), panel(4, 0, 6, 12, 4)], {}, () => []);
  assert.deepEqual(s!.items.map((i) => [i.panel.id, i.pos.y]), [[1, 0], [2, 0], [4, 4], [3, 2]]);
  assert.equal(s!.height, 8);
});
test("rows fold: a folded row keeps its panels inside, an open one owns those below it", () => {
  const panels = [panel(1, 0, 0, 24, 1, { type: "row", collapsed: false, title: "open" }), panel(2, 0, 1, 24, 4), panel(3, 0, 5, 24, 1, { type: "row", collapsed: true, panels: [panel(4, 0, 6, 24, 4)] })];
  assert.deepEqual(layout(panels, {}, () => []).map((s) => [s.collapsed, s.items.map((i) => i.panel.id)]), [[false, [2]], [true, []]]);
  assert.deepEqual(layout(panels, { "row-3": false, "row-1": true }, () => []).map((s) => [s.collapsed, s.items.map((i) => i.panel.id)]), [[true, []], [false, [4]]]);
});
test("a repeated panel has one copy a value, side by side or below each other", () => {
  const values = () => opts("a", "b", "c");
  const across = layout([panel(1, 0, 0, 24, 4, { repeat: "v", repeatDirection: "h", maxPerRow: 2 }), panel(2, 0, 4, 24, 4)], {}, values)[0]!.items;
  assert.deepEqual(across.map((i) => [i.key, i.pos.x, i.pos.y, i.pos.w]), [["top/1/a", 0, 0, 12], ["top/1/b", 12, 0, 12], ["top/1/c", 0, 4, 12], ["top/2", 0, 8, 24]]);
  const down = layout([panel(1, 0, 0, 6, 4, { repeat: "v", repeatDirection: "v" })], {}, values)[0]!.items;
  assert.deepEqual(down.map((i) => [i.pos.x, i.pos.y, i.pos.w]), [[0, 0, 6], [0, 4, 6], [0, 8, 6]]);
});

test("the step is Grafana's: range over points, rounded, never below the scrape interval", () => {
  const h = 3_600_000;
  const step = (range: number, points: number, more: object = {}) => stepFor({ range, maxDataPoints: points, scrapeInterval: 15_000, ...more });
  assert.deepEqual(step(h, 1000), { step: 15_000, interval: 15_000, rateInterval: 60_000 });
  assert.deepEqual(step(6 * h, 500), { step: 30_000, interval: 30_000, rateInterval: 60_000 });
  assert.equal(step(24 * h, 800).step, 120_000);
  assert.equal(step(24 * h, 800).rateInterval, 135_000);
  assert.equal(step(h, 1000, { minInterval: "1m" }).step, 60_000);
  assert.equal(step(h, 1000, { minInterval: ">10s" }).step, 10_000);
  assert.equal(step(h, 1000, { factor: 2 }).step, 30_000);
  assert.ok(step(365 * 24 * h, 1e9).step >= (365 * 24 * h) / 11_000);
  assert.equal(roundInterval(42_000), 30_000);
  assert.equal(intervalText(90_000), "1m");
  assert.equal(intervalText(500), "500ms");
  assert.deepEqual(align(1_000_001, 1_090_001, 60_000), [960_000, 1_080_000]);
});

test("editing a dashboard's text changes the value and not a byte more", () => {
  const text = '{ "title": "a\\"b", "n": 1.0,\n  "list": [ {"id": 1e2}, {"id":2, "x":{}} ], "time":{"from":"now-6h"} }';
  assert.equal(setAt(text, ["time", "from"], "now-1h"), text.replace("now-6h", "now-1h"));
  assert.equal(setAt(text, ["n"], 1), text, "an equal value leaves the spelling");
  assert.equal(setAt(text, ["list", 1, "id"], 3), text.replace('"id":2', '"id":3'));
  assert.equal(setAt(text, ["title"], "c"), text.replace('"a\\"b"', '"c"'));
  assert.equal(setAt(text, ["list", 1, "x", "y"], true), text.replace("{}", '{"y":true}'));
  assert.deepEqual(JSON.parse(setAt(text, ["refresh"], "5s")).refresh, "5s");
  assert.equal(spanOf(text, ["list", 7]), null);
  assert.throws(() => setAt(text, ["missing", "key"], 1));
});
