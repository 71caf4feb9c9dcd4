import assert from "node:assert/strict";
import { test } from "node:test";
import { compareNs, linesOf } from "../src/api/loki";
import { labelsText, promNumber, resultOf } from "../src/api/prom";
import { heatmapFrames, logFrame, tableFrame, timeSeriesFrames } from "../src/query/frames";
import { Pool } from "../src/query/pool";

const matrix = (...series: { metric: Record<string, string>; values: [number, string][] }[]) => resultOf({ status: "success", data: { resultType: "matrix", result: series } });

test("numbers of the API, infinities and NaN included", () => {
  assert.deepEqual(["1.5", "+Inf", "-Inf", "NaN", "1e-3"].map(promNumber), [1.5, Infinity, -Infinity, NaN, 0.001]);
  assert.equal(labelsText({ __name__: "up", job: 'a"b', "odd.name": "x" }), 'up{job="a\\"b", "odd.name"="x"}');
});
test("legends: template, automatic, full label set, expression", () => {
  const name = (legend: string | undefined, ...m: Record<string, string>[]) => timeSeriesFrames(matrix(...m.map((metric) => ({ metric, values: [[1, "1"]] as [number, string][] }))), { expr: "sum(x)", legend }).map((f) => f.fields[1]!.config.displayNameFromDS);
  assert.deepEqual(name("{{ job }} of {{dc}}", { job: "a" }), ["a of "]);
  assert.deepEqual(name(undefined, { __name__: "up", job: "a" }), ['up{job="a"}']);
  assert.deepEqual(name(undefined, {}), ["sum(x)"]);
  assert.deepEqual(name("__auto", {}), ["sum(x)"]);
  assert.deepEqual(name("__auto", { job: "a" }), [undefined]);
});
test("a table has a column a label", () => {
  const f = tableFrame(resultOf({ status: "success", data: { resultType: "vector", result: [{ metric: { job: "a" }, value: [1, "2"] }, { metric: { dc: "x" }, value: [1, "3"] }] } }), { expr: "", refId: "B" }, true);
  assert.deepEqual(f.fields.map((x) => x.name), ["Time", "dc", "job", "Value #B"]);
  assert.deepEqual(f.fields[2]!.values, ["a", ""]);
});
test("histogram buckets lose what the ones below hold", () => {
  const frames = heatmapFrames(matrix({ metric: { le: "+Inf" }, values: [[1, "10"]] }, { metric: { le: "0.5" }, values: [[1, "4"]] }, { metric: { le: "1" }, values: [[1, "9"]] }), { expr: "" });
  assert.deepEqual(frames.map((f) => [f.fields[1]!.name, f.fields[1]!.values[0]]), [["0.5", 4], ["1", 5], ["+Inf", 1]]);
});
test("log lines keep nanoseconds and come newest first", () => {
  const lines = linesOf([{ stream: { job: "a" }, values: [["1764146400000000001", "one"], ["1764146400000000003", "three", { structuredMetadata: { id: "7" } }]] }, { stream: { job: "b" }, values: [["1764146400000000002", "two"]] }]);
  const f = logFrame({ type: "streams", lines, series: [], warnings: [] }, { expr: "" });
  assert.deepEqual(f.logs!.map((l) => l.line), ["three", "two", "one"]);
  assert.equal(f.logs![0]!.metadata.id, "7");
  assert.equal(f.logs![0]!.time, 1764146400000);
  assert.ok(compareNs("999", "1000") < 0);
});

const later = () => {
  let done!: (v: string) => void;
  let fail!: (e: Error) => void;
  const promise = new Promise<string>((a, b) => ((done = a), (fail = b)));
  return { promise, done, fail };
};
const settle = () => new Promise((r) => setImmediate(r));

test("a pool runs a few at a time and shares equal requests", async () => {
  const pool = new Pool(2);
  const started: string[] = [];
  const work = new Map(["a", "b", "c"].map((k) => [k, later()]));
  const run = (k: string, signal = new AbortController().signal) => pool.run(k, () => (started.push(k), work.get(k)!.promise), signal);
  const answers = [run("a"), run("b"), run("c"), run("a")];
  await settle();
  assert.deepEqual(started, ["a", "b"]);
  work.get("a")!.done("A");
  await settle();
  assert.deepEqual(started, ["a", "b", "c"]);
  work.get("b")!.done("B");
  work.get("c")!.done("C");
  assert.deepEqual(await Promise.all(answers), ["A", "B", "C", "A"]);
});
test("a request is aborted when the last who asked for it leaves", async () => {
  const pool = new Pool(1);
  let inner: AbortSignal | null = null;
  const work = (s: AbortSignal) => ((inner = s), new Promise<string>((_, no) => s.addEventListener("abort", () => no(s.reason as Error))));
  const [one, two] = [new AbortController(), new AbortController()];
  const a = pool.run("k", work, one.signal);
  const b = pool.run("k", work, two.signal);
  await settle();
  one.abort();
  await assert.rejects(a);
  assert.equal(inner!.aborted, false);
  two.abort();
  await assert.rejects(b);
  assert.equal(inner!.aborted, true);
  assert.equal(await pool.run("k", async () => "again", new AbortController().signal), "again");
});
test("one failure does not block those that wait", async () => {
  const pool = new Pool(1);
  const s = new AbortController().signal;
  const bad = pool.run("x", () => Promise.reject(new Error("no")), s);
  const good = pool.run("y", async () => "yes", s);
  await assert.rejects(bad);
  assert.equal(await good, "yes");
});
