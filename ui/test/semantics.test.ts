import assert from "node:assert/strict";
import { test } from "node:test";
import { applyFieldConfig, type FieldConfigSource } from "../src/semantics/fieldconfig";
import { forgetColors, namedColor, palette, scaleColor, seriesColors, textOn } from "../src/semantics/color";
import { fieldName, type Field, type Frame } from "../src/semantics/frame";
import { levelOf } from "../src/semantics/level";
import { activeThreshold, mapValue } from "../src/semantics/mappings";
import { reduce } from "../src/semantics/reducers";
import { plain } from "../src/semantics/units";

const ctx = { theme: "dark" as const, zone: "utc", replace: (t: string, s?: Record<string, string>) => t.replace(/\$\{([^}]+)\}/g, (w, k: string) => s?.[k] ?? w) };
const series = (name: string | undefined, values: unknown[], labels: Record<string, string> = {}, refId = "A"): Frame => ({
  refId,
  length: values.length,
  fields: [
    { name: "Time", type: "time", values: values.map((_, i) => i * 1000), config: {} },
    { name: "Value", type: "number", values, labels, config: { displayNameFromDS: name } },
  ],
});
const configured = (frames: Frame[], source: FieldConfigSource) => applyFieldConfig(frames, source, ctx).map((f) => f.fields[1]!);
const text = (f: Field, v: unknown) => plain(f.state!.display(v));

test("reducers treat nulls and NaN as Grafana does", () => {
  const v = [null, 2, NaN, 4, 1, null];
  const want: Record<string, unknown> = { lastNotNull: 1, last: null, firstNotNull: 2, first: null, min: 1, max: 4, mean: 7 / 3, sum: 7, count: 4, countAll: 6, range: 3, diff: -1, diffperc: -50, logmin: 1, allIsZero: false, allIsNull: false };
  for (const [id, w] of Object.entries(want)) assert.deepEqual(reduce(id, v), w, id);
  assert.equal(reduce("median", [3, 1, 2, null]), 2);
  assert.equal(reduce("p95", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 10);
  assert.equal(reduce("delta", [1, 4, 2, 3, 5]), 5, "the step after a reset does not count, later ones do");
  assert.equal(reduce("changeCount", [1, 1, 2, 1]), 2);
  assert.equal(reduce("stdDev", [2, 4, 4, 4, 5, 5, 7, 9]), 2);
  assert.equal(reduce("mean", []), null);
  assert.equal(reduce("current", [1, 2]), 2, "old names still work");
});

test("value mappings: value, range, regex and special, first hit wins", () => {
  const m = [
    { type: "value" as const, options: { "1": { text: "one", color: "red" } } },
    { type: "range" as const, options: { from: 5, to: null, result: { text: "many" } } },
    { type: "regex" as const, options: { pattern: "/^host-(.*)$/", result: { text: "$1" } } },
    { type: "special" as const, options: { match: "null+nan", result: { text: "nothing" } } },
  ];
  assert.equal(mapValue(m, 1)?.text, "one");
  assert.equal(mapValue(m, 7)?.text, "many");
  assert.equal(mapValue(m, 3), null);
  assert.equal(mapValue(m, "host-a")?.text, "a");
  assert.equal(mapValue(m, null)?.text, "nothing");
  assert.equal(mapValue(m, NaN)?.text, "nothing");
  assert.equal(mapValue([{ type: "value", options: {} }], "constructor"), null);
});

test("the active threshold is the highest reached; percent counts along the range", () => {
  const steps = [{ value: null, color: "green" }, { value: 80, color: "red" }];
  assert.equal(activeThreshold({ mode: "absolute", steps }, 79, 0)?.color, "green");
  assert.equal(activeThreshold({ mode: "absolute", steps }, 80, 0)?.color, "red");
  assert.equal(activeThreshold({ mode: "percentage", steps }, 8, 0.8)?.color, "red");
});

test("names: the data source's, else what differs", () => {
  const frames = [series(undefined, [1], { job: "a" }), series(undefined, [1], { job: "b" })];
  assert.deepEqual(frames.map((f) => fieldName(f.fields[1]!, f, frames)), ["a", "b"]);
  const two = [series(undefined, [1], { job: "a", dc: "x" })];
  assert.equal(fieldName(two[0]!.fields[1]!, two[0]!, two), '{job="a", dc="x"}');
  const none = [series(undefined, [1])];
  assert.equal(fieldName(none[0]!.fields[1]!, none[0]!, none), "Value");
});

test("defaults, then overrides in order", () => {
  const [a, b] = configured([series("cpu user", [0.5], {}, "A"), series("cpu idle", [0.25], {}, "B")], {
    defaults: { unit: "percentunit", decimals: 1 },
    overrides: [
      { matcher: { id: "byRegexp", options: "/idle$/" }, properties: [{ id: "unit", value: "short" }, { id: "custom.fillOpacity", value: 40 }] },
      { matcher: { id: "byFrameRefID", options: "B" }, properties: [{ id: "displayName", value: "free (${__series.name})" }] },
      { matcher: { id: "byName", options: "cpu user" }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: "super-light-blue" } }] },
    ],
  });
  assert.equal(text(a!, 0.5), "50.0%");
  assert.equal(a!.state!.color, namedColor("super-light-blue", "dark"));
  assert.equal(text(b!, 0.25), "0.3");
  assert.equal(b!.state!.displayName, "free (cpu idle)");
  assert.equal(b!.config.custom!.fillOpacity, 40);
});

test("an override can look at values, types and lists of names", () => {
  const source = (matcher: { id: string; options: unknown }): FieldConfigSource => ({ overrides: [{ matcher, properties: [{ id: "unit", value: "bytes" }] }] });
  const hit = (m: { id: string; options: unknown }) => configured([series("x", [1, 9])], source(m))[0]!.config.unit === "bytes";
  assert.ok(hit({ id: "byValue", options: { reducer: "max", op: ">=", value: 9 } }));
  assert.ok(!hit({ id: "byValue", options: { reducer: "max", op: ">", value: 9 } }));
  assert.ok(hit({ id: "byType", options: "number" }));
  assert.ok(hit({ id: "byNames", options: { mode: "exclude", names: ["y"] } }));
  assert.ok(!hit({ id: "byNames", options: { mode: "include", names: ["y"] } }));
  assert.ok(!hit({ id: "unknown", options: 1 }));
});

test("what is shown: mapped text, no value, colour by threshold", () => {
  const [f] = configured([series("up", [0, 1])], {
    defaults: { noValue: "n/a", thresholds: { mode: "absolute", steps: [{ value: null, color: "red" }, { value: 1, color: "green" }] }, mappings: [{ type: "value", options: { "0": { text: "down" } } }] },
  });
  assert.equal(text(f!, 0), "down");
  assert.equal(text(f!, 1), "1");
  assert.equal(text(f!, null), "n/a");
  assert.equal(f!.state!.display(0).color, namedColor("red", "dark"));
  assert.equal(f!.state!.display(1).color, namedColor("green", "dark"));
});

test("a series keeps its colour from panel to panel, and no two in a panel share one", () => {
  forgetColors();
  const first = seriesColors(["a", "b", "c"], "dark");
  assert.equal(new Set(first).size, 3);
  const second = seriesColors(["x", "c", "a"], "dark");
  assert.equal(second[1], first[2]);
  assert.equal(second[2], first[0]);
  assert.equal(new Set(second).size, 3);
  assert.equal(new Set(seriesColors(palette("dark").map((_, i) => "s" + i), "dark")).size, palette("dark").length);
});
test("colours on backgrounds can be read", () => {
  assert.equal(textOn("#FADE2A"), "#000000");
  assert.equal(textOn("#C4162A"), "#ffffff");
  assert.equal(scaleColor("continuous-GrYlRd", 0, "dark"), namedColor("green", "dark").toLowerCase());
  assert.equal(scaleColor("continuous-GrYlRd", NaN, "dark"), namedColor("green", "dark").toLowerCase());
});

test("the level of a line: labels first, then the first level word", () => {
  assert.equal(levelOf("GET / 500", { level: "warn" }), "warning");
  assert.equal(levelOf("2026-01-01 - app - ERROR - no", {}), "error");
  assert.equal(levelOf("information about errors", {}), "info");
  assert.equal(levelOf("terror in the house", {}), "unknown");
});
