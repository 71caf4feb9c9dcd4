import assert from "node:assert/strict";
import { test } from "node:test";
import type { Field, Frame } from "../src/semantics/frame";
import { transform } from "../src/transform/transform";

const field = (name: string, values: unknown[], labels?: Record<string, string>): Field => ({ name, type: name === "Time" ? "time" : typeof values[0] === "string" ? "string" : "number", values, labels, config: {} });
const frame = (fields: Field[], refId = "A"): Frame => ({ refId, fields, length: fields[0]!.values.length });
const run = (frames: Frame[], id: string, options: Record<string, unknown> = {}) => transform(frames, [{ id, options }]).map((f) => Object.fromEntries(f.fields.map((x) => [x.config.displayName ?? x.name, x.values])));

const table = () => frame([field("Time", [1, 2, 3]), field("host", ["a", "b", "a"]), field("Value", [10, 20, 30])]);

test("organize hides, orders and renames columns", () => {
  const [out] = run([table()], "organize", { excludeByName: { Time: true }, indexByName: { Value: 0, host: 1 }, renameByName: { Value: "Load" } });
  assert.deepEqual(Object.keys(out!), ["Load", "host"]);
});
test("reduce gives a row a series", () => {
  const frames = ["x", "y"].map((n, i) => frame([field("Time", [1, 2]), { ...field("Value", [i, i + 2]), config: { displayNameFromDS: n } }]));
  assert.deepEqual(run(frames, "reduce", { reducers: ["max", "mean"] }), [{ Field: ["x", "y"], Max: [2, 3], Mean: [1, 2] }]);
});
test("merge puts answers to the same labels into one row", () => {
  const a = frame([field("Time", [1, 1]), field("job", ["x", "y"]), field("Value #A", [1, 2])]);
  const b = frame([field("Time", [1, 1]), field("job", ["y", "z"]), field("Value #B", [3, 4])], "B");
  assert.deepEqual(run([a, b], "merge"), [{ Time: [1, 1, 1], job: ["x", "y", "z"], "Value #A": [1, 2, null], "Value #B": [null, 3, 4] }]);
});
test("joining by time keeps every time, or the shared ones", () => {
  const a = frame([field("Time", [1, 2]), field("a", [1, 2])]);
  const b = frame([field("Time", [2, 3]), field("b", [20, 30])]);
  assert.deepEqual(run([a, b], "joinByField", { mode: "outer" }), [{ Time: [1, 2, 3], a: [1, 2, null], b: [null, 20, 30] }]);
  assert.deepEqual(run([a, b], "joinByField", { mode: "inner" }), [{ Time: [2], a: [2], b: [20] }]);
});
test("filters by name, value and query", () => {
  assert.deepEqual(run([table()], "filterFieldsByName", { include: { names: ["host"] } }), [{ host: ["a", "b", "a"] }]);
  assert.deepEqual(run([table()], "filterFieldsByName", { exclude: { pattern: "/^(Time|host)$/" } }), [{ Value: [10, 20, 30] }]);
  assert.deepEqual(run([table()], "filterByValue", { type: "include", match: "all", filters: [{ fieldName: "Value", config: { id: "greater", options: { value: 15 } } }] })[0]!.Value, [20, 30]);
  assert.equal(run([table(), { ...table(), refId: "B" }], "filterByRefId", { include: "B" }).length, 1);
});
test("sorting, limiting, grouping, renaming, calculating", () => {
  assert.deepEqual(run([table()], "sortBy", { sort: [{ field: "Value", desc: true }] })[0]!.host, ["a", "b", "a"]);
  assert.deepEqual(run([table()], "limit", { limitField: 2 })[0]!.Value, [10, 20]);
  assert.deepEqual(run([table()], "groupBy", { fields: { host: { operation: "groupby" }, Value: { operation: "aggregate", aggregations: ["sum"] } } }), [{ host: ["a", "b"], "Value (sum)": [40, 20] }]);
  assert.deepEqual(Object.keys(run([table()], "renameByRegex", { regex: "Val(.*)", renamePattern: "X$1" })[0]!), ["Time", "host", "Xue"]);
  assert.deepEqual(run([table()], "calculateField", { mode: "binary", binary: { left: "Value", operator: "*", right: "2" }, alias: "twice" })[0]!.twice, [20, 40, 60]);
});
test("labels become columns, or rows, or the value's name", () => {
  const frames = () => ["a", "b"].map((host, i) => frame([field("Time", [1]), field("Value", [i], { host })]));
  assert.deepEqual(run(frames(), "labelsToFields"), [{ Time: [1], Value: [0], host: ["a"] }, { Time: [1], Value: [1], host: ["b"] }]);
  assert.deepEqual(run(frames(), "labelsToFields", { valueLabel: "host" }), [{ Time: [1], a: [0] }, { Time: [1], b: [1] }]);
  assert.deepEqual(run(frames(), "labelsToFields", { mode: "rows" }), [{ label: ["host"], value: ["a"] }, { label: ["host"], value: ["b"] }]);
});
test("joining by a text keeps the order in which keys are met", () => {
  const t = (ref: string, hosts: string[]) => frame([field("host", hosts), field("Value #" + ref, hosts.map((_, i) => i))], ref);
  assert.deepEqual(run([t("A", ["b", "a"]), t("B", ["a", "c"])], "joinByField", { byField: "host", mode: "outer" }), [{ host: ["b", "a", "c"], "Value #A": [0, 1, null], "Value #B": [null, 0, 1] }]);
});
test("a transformation that is not there stops with its name; a disabled one is not reached", () => {
  assert.throws(() => run([table()], "fancy"), /fancy/);
});
