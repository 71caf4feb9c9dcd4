import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf } from "../src/dashboard/csv";
import { readImport } from "../src/pages/read_import";
import { migrated } from "../src/model/migrate";
import type { Panel } from "../src/model/types";
import { fromBuckets, fromValues } from "../src/panels/heatmap_model";
import { segments } from "../src/panels/StateTimelinePanel";
import { toggled } from "../src/panels/TimeSeriesPanel";
import { chartModel } from "../src/panels/timeseries_model";
import { panelValues, tiles } from "../src/panels/values";
import { commonLabels, dedup, pretty } from "../src/panels/LogsPanel";
import { niceSteps } from "../src/panels/BarChartPanel";
import { sortItems, type LegendItem } from "../src/charts/Legend";
import { applyFieldConfig, type FieldConfigSource } from "../src/semantics/fieldconfig";
import type { Frame } from "../src/semantics/frame";

const ctx = { theme: "dark" as const, zone: "utc", replace: (t: string) => t };
const series = (name: string, values: unknown[], refId = "A"): Frame => ({ refId, length: values.length, fields: [{ name: "Time", type: "time", values: values.map((_, i) => i * 1000), config: { interval: 1000 } }, { name: "Value", type: "number", values, config: { displayNameFromDS: name } }] });
const model = (frames: Frame[], source: FieldConfigSource, hidden: string[] = []) => chartModel(applyFieldConfig(frames, source, ctx), new Set(hidden), "dark");

test("series of one unit share an axis, another unit gets the right one", () => {
  const m = model([series("a", [1]), series("b", [2]), series("c", [3])], { defaults: { unit: "s" }, overrides: [{ matcher: { id: "byName", options: "c" }, properties: [{ id: "unit", value: "bytes" }] }] });
  assert.deepEqual(m.axes.map((a) => [a.id, a.side, a.binary, a.grid]), [["y0", "left", false, true], ["y1", "right", true, false]]);
  assert.deepEqual(m.series.map((s) => s.axis), ["y0", "y0", "y1"]);
});
test("negative-Y draws below zero and says the value as it is", () => {
  const m = model([series("tx", [2, null])], { defaults: { unit: "none", custom: { transform: "negative-Y" } } });
  assert.deepEqual(m.series[0]!.values, [-2, null]);
  assert.equal(m.series[0]!.format!(-2), "2");
});
test("hidden series, stacks, dashes, spans and thresholds arrive at the chart", () => {
  const m = model([series("a", [1]), series("b", [2])], { defaults: { thresholds: { mode: "absolute", steps: [{ value: null, color: "green" }, { value: 5, color: "red" }] }, custom: { stacking: { mode: "normal", group: "A" }, thresholdsStyle: { mode: "dashed" }, lineStyle: { fill: "dash", dash: [4, 2] }, spanNulls: 60000 } } }, ["b"]);
  assert.deepEqual(m.series.map((s) => [s.hidden, s.stack, s.dash, s.spanGaps]), [[false, "A", [4, 2], 60000], [true, "A", [4, 2], 60000]]);
  assert.deepEqual(m.marks.map((x) => [x.value, x.dash]), [[5, true]]);
});
test("a click shows one series alone, a second one all again, ctrl adds and removes", () => {
  const all = ["a", "b", "c"];
  const alone = toggled(new Set(), all, "a", true);
  assert.deepEqual([...alone], ["b", "c"]);
  assert.equal(toggled(alone, all, "a", true).size, 0);
  assert.deepEqual([...toggled(alone, all, "b", false)], ["c"]);
  assert.equal(toggled(new Set(["a", "b"]), all, "c", false).size, 0, "hiding the last one shows all");
});
test("legends sort by name and by number, values without number first", () => {
  const item = (label: string, numeric: number): LegendItem => ({ label, color: "", hidden: false, values: [{ name: "Max", shown: { text: "", numeric, color: "", percent: 0 } }] });
  const items = [item("x10", 5), item("x9", NaN), item("y", 7)];
  assert.deepEqual(sortItems(items, { by: "Name", desc: false }).map((i) => i.label), ["x9", "x10", "y"]);
  assert.deepEqual(sortItems(items, { by: "max", desc: true }).map((i) => i.label), ["y", "x10", "x9"]);
});

const panel = (options: Record<string, unknown>): Panel => ({ id: 1, type: "stat", options });
test("values: one a series and calculation, one a row, picked by name", () => {
  const frames = applyFieldConfig([series("a", [1, 4]), series("b", [3, 2])], {}, ctx);
  const show = (o: Record<string, unknown>) => panelValues(panel({ reduceOptions: o }), frames).map((v) => [v.title, v.shown.text]);
  assert.deepEqual(show({ calcs: ["lastNotNull"] }), [["a", "4"], ["b", "2"]]);
  assert.deepEqual(show({ calcs: ["min", "max"] }), [["a", "1"], ["a", "4"], ["b", "2"], ["b", "3"]]);
  assert.deepEqual(show({ calcs: ["sum"], fields: "/^b$/" }), [["b", "5"]]);
  assert.deepEqual(show({ values: true, limit: 3 }), [["a", "1"], ["a", "4"], ["b", "3"]]);
  assert.deepEqual(tiles(4, 800, 100, "auto"), { cols: 4, rows: 1 });
  assert.deepEqual(tiles(4, 100, 800, "horizontal"), { cols: 1, rows: 4 });
});
test("states: equal neighbours are one, nulls and missing steps end a bar", () => {
  assert.deepEqual(segments([0, 10, 20, 30], [1, 1, 2, null], 40, true), [{ from: 0, to: 20, value: 1 }, { from: 20, to: 30, value: 2 }]);
  assert.deepEqual(segments([0, 10, 90], [1, 1, 1], 100, true, 10), [{ from: 0, to: 25, value: 1 }, { from: 90, to: 100, value: 1 }]);
});
test("heatmap cells from buckets, and counted from values", () => {
  const bucket = (le: string, values: number[]): Frame => ({ length: values.length, fields: [{ name: "Time", type: "time", values: values.map((_, i) => i * 1000), config: {} }, { name: le, type: "number", values, labels: { le }, config: {} }] });
  const c = fromBuckets([bucket("+Inf", [1, 2]), bucket("0.5", [3, 4])])!;
  assert.deepEqual(c.bounds, [0.5, Infinity]);
  assert.deepEqual(c.counts, [[3, 1], [4, 2]]);
  assert.equal(c.most, 4);
  assert.equal(fromBuckets([bucket("GET", [1]), bucket("POST", [1])]), null);
  assert.equal(fromValues([series("a", [1, 2, 3])], 3, 2)!.counts.flat().reduce((a, b) => a + b), 3);
});
test("log lines: equal neighbours counted, labels in common, JSON set out", () => {
  const line = (text: string, labels: Record<string, string>) => ({ ns: "1", time: 0, line: text, labels, metadata: {}, parsed: {} });
  const lines = [line("took 1 ms", { job: "a", pod: "x" }), line("took 2 ms", { job: "a", pod: "y" }), line("done", { job: "a", pod: "x" })];
  assert.deepEqual(dedup(lines, "numbers").map((d) => d.count), [2, 1]);
  assert.deepEqual(dedup(lines, "exact").map((d) => d.count), [1, 1, 1]);
  assert.deepEqual(commonLabels(lines), { job: "a" });
  assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}');
  assert.equal(pretty("{not json"), "{not json");
});
test("axis steps are 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual(niceSteps(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(niceSteps(0, 0.3, 3), [0, 0.1, 0.2, 0.3]);
});

test("old files: rows with spans, graph and singlestat panels", () => {
  const old = {
    rows: [
      { title: "Top", showTitle: true, height: "250px", panels: [{ id: 1, type: "graph", span: 6, yaxes: [{ format: "bytes", min: "0" }, { format: "percent" }], fill: 2, stack: true, legend: { show: true, alignAsTable: true, values: true, max: true, avg: true }, seriesOverrides: [{ alias: "/out/", transform: "negative-Y", yaxis: 2 }], aliasColors: { a: "#fff" } }, { id: 2, type: "singlestat", span: 6, format: "s", thresholds: "1,2", colors: ["green", "orange", "red"], colorValue: true, valueName: "current", valueMaps: [{ value: "null", text: "none" }] }] },
      { title: "Closed", collapse: true, panels: [{ id: 3, type: "singlestat", span: 12, gauge: { show: true, minValue: 0, maxValue: 10 } }] },
    ],
  };
  const [row, graph, stat, closed] = migrated(old as never).panels!;
  assert.deepEqual([row!.type, graph!.type, stat!.type, closed!.collapsed], ["row", "timeseries", "stat", true]);
  assert.deepEqual(graph!.gridPos, { x: 0, y: 1, w: 12, h: 7 });
  assert.equal(graph!.fieldConfig!.defaults!.unit, "bytes");
  assert.equal(graph!.fieldConfig!.defaults!.min, 0);
  assert.deepEqual((graph!.options!.legend as { calcs: string[] }).calcs, ["max", "mean"]);
  assert.deepEqual(graph!.fieldConfig!.overrides!.map((o) => [o.matcher.id, o.properties.map((p) => p.id)]), [["byName", ["color"]], ["byRegexp", ["custom.transform", "unit", "custom.axisPlacement"]]]);
  assert.deepEqual(stat!.fieldConfig!.defaults!.thresholds!.steps.map((s) => [s.value, s.color]), [[null, "green"], [1, "orange"], [2, "red"]]);
  assert.equal(closed!.panels![0]!.type, "gauge");
});

test("what is imported: a file, an API answer; anything else is refused with a reason", () => {
  const file = { title: "T", panels: [], __inputs: [{ name: "DS", type: "datasource", pluginId: "prometheus" }] };
  assert.deepEqual(readImport(JSON.stringify(file)).inputs.map((i) => i.name), ["DS"]);
  assert.equal(readImport(JSON.stringify({ dashboard: file, meta: {} })).title, "T");
  for (const [text, why] of [["{", /not JSON/], ["[]", /no dashboard/], ["{}", /no title/], ['{"title":"T"}', /no panels/], ['{"kind":"Dashboard","spec":{}}', /resource/]] as const) assert.match(readImport(text).problem, why);
  assert.equal(readImport("").problem, "");
});
test("CSV quotes what needs it", () => {
  const f: Frame = { length: 2, fields: [{ name: "Time", type: "time", values: [0, 1500], config: {} }, { name: "a", type: "string", values: ['x,"y"', null], config: {} }] };
  assert.equal(csvOf(f, ["Time", "a"]), 'Time,a\n1970-01-01 00:00:00.000,"x,""y"""\n1970-01-01 00:00:01.500,\n');
});
