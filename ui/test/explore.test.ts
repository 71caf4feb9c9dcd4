/* Explore: addresses of Grafana and ours, queries changed by clicks, levels, history. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { appendLines } from "../src/explore/live";
import { countLines, levelOf } from "../src/explore/levels";
import { withAsked } from "../src/explore/history";
import { addLineFilter, filterLabel, isMetric, matchersOf, searchWords } from "../src/explore/logqlEdit";
import { commonLabels, dedup } from "../src/explore/LogList";
import { nextRefId, parseState, stateQuery } from "../src/explore/state";
import { placeAt } from "../src/editors/logqlContext";
import { maskVariables } from "../src/editors/variables";
import type { LogLine } from "../src/api/loki";

const line = (text: string, labels = {}, ns = "1000000000"): LogLine => ({ ns, time: 1000, line: text, labels, metadata: {}, parsed: {} });
const state = (q: Record<string, string>) => parseState(new URLSearchParams(q));

test("an address of Grafana's Explore is read, old forms included", () => {
  const panes = { x1: { datasource: "prom", queries: [{ refId: "A", expr: "up", instant: true, datasource: { uid: "prom", type: "prometheus" } }], range: { from: "now-6h", to: "now" } } };
  assert.deepEqual(state({ panes: JSON.stringify(panes), schemaVersion: "1" }).panes, [{ datasource: "prom", queries: [{ refId: "A", expr: "up", instant: true }], range: { from: "now-6h", to: "now" } }]);
  assert.equal(state({ left: JSON.stringify({ datasource: "Loki", queries: [{ refId: "A", expr: "{a=\"b\"}" }], range: { from: "1", to: "2" } }) }).panes[0]!.queries[0]!.expr, '{a="b"}');
  const old = state({ left: '["now-3h","now","Prometheus",{"expr":"up"},{"mode":"Metrics"},{"ui":[true]}]', right: '["now-3h","now","Loki",{"expr":"{}"}]' });
  assert.equal(old.panes.length, 2);
  assert.deepEqual(old.panes[0], { datasource: "Prometheus", queries: [{ refId: "A", expr: "up" }], range: { from: "now-3h", to: "now" } });
  assert.equal(state({ panes: "{broken" }).panes.length, 1);
});

test("what the address says survives writing and reading", () => {
  const s = { panes: [{ datasource: "loki", queries: [{ refId: "A", expr: '{job="x"} |= "é&="', maxLines: 50, direction: "forward" as const }], range: { from: "now-5m", to: "now" } }] };
  assert.deepEqual(parseState(new URLSearchParams(stateQuery(s))), s);
  assert.equal(nextRefId([{ refId: "A", expr: "" }, { refId: "C", expr: "" }]), "B");
});

test("a click on a label filters the stream selector and can be taken back", () => {
  assert.equal(filterLabel('{job="a"} |= "}"', "level", "error", "="), '{job="a", level="error"} |= "}"');
  assert.equal(filterLabel('{job="a", level="info"}', "level", "error", "="), '{job="a", level="error"}');
  assert.equal(filterLabel('{job="a", level!="x"}', "level", "x", "="), '{job="a", level="x"}');
  assert.equal(filterLabel('{job="a"}', "job", "a", "!="), '{job=~".+", job!="a"}');
  assert.equal(filterLabel('{job="a", x="y"}', "job", "a", "!="), '{x="y", job!="a"}');
  assert.equal(filterLabel('{job=~"a,b"}', "f", 'q"', "!="), '{job=~"a,b", f!="q\\""}');
  assert.equal(filterLabel('{job="a"} | json', "user", "1", "=", false), '{job="a"} | json | user="1"');
  assert.equal(filterLabel('sum(rate({job="a"} | json [5m]))', "user", "1", "=", false), 'sum(rate({job="a"} | json | user="1" [5m]))');
  assert.equal(addLineFilter('{a="b"}', "!=", "x"), '{a="b"} != "x"');
});

test("queries are told apart and taken to pieces", () => {
  assert.equal(isMetric('# all\n{a="b"}'), false);
  assert.equal(isMetric('rate({a="b"}[1m])'), true);
  assert.deepEqual(matchersOf('{a="b", c=~`d.*`}'), [{ name: "a", op: "=", value: "b" }, { name: "c", op: "=~", value: "d.*" }]);
  assert.deepEqual(searchWords('{a="b"} |= "x\\"" != "no" |~ `e+`'), [{ text: 'x"', regex: false }, { text: "e+", regex: true }]);
});

test("a line's level comes from its labels, else from its text", () => {
  assert.equal(levelOf(line("hello", { level: "WARN" })), "warning");
  assert.equal(levelOf(line("2026-01-01 10:00:00 - app - ERROR - no")), "error");
  assert.equal(levelOf(line('{"msg":"x","level":"debug"}')), "debug");
  assert.equal(levelOf(line("ts=1 lvl=info msg=error")), "info");
  assert.equal(levelOf(line("GET /api/error 200")), "unknown");
});

test("lines are counted into buckets and live lines come once", () => {
  const v = countLines([line("ERROR a"), { ...line("INFO b"), time: 2500 }], 0, 4000, 1000);
  assert.deepEqual(v.counts, { error: [0, 1, 0, 0], info: [0, 0, 1, 0] });
  const a = line("a", {}, "1");
  const b = line("b", {}, "2");
  assert.deepEqual(appendLines([a], [b, a]).map((l) => l.line), ["a", "b"]);
  assert.equal(appendLines([a], [b], 1).length, 1);
});

test("same lines are folded and common labels found", () => {
  const rows = dedup([line("took 12 ms"), line("took 7 ms"), line("other")], "numbers");
  assert.deepEqual(rows.map((r) => [r.line.line, r.repeats]), [["took 12 ms", 1], ["other", 0]]);
  assert.deepEqual(commonLabels([line("a", { job: "x", pod: "1" }), line("b", { job: "x", pod: "2" })]), { job: "x" });
});

test("history keeps the newest and the starred", () => {
  let list = withAsked([], "p", "up", 1);
  list = withAsked(list, "p", "down", 2);
  list = withAsked(list, "p", "up", 3);
  assert.deepEqual(list.map((a) => a.expr), ["up", "down"]);
  list[1]!.star = true;
  for (let i = 0; i < 250; i++) list = withAsked(list, "p", "q" + i, 10 + i);
  assert.equal(list.length, 200);
  assert.ok(list.some((a) => a.expr === "down" && a.star));
});

test("the place in a LogQL query decides what is offered", () => {
  const at = (text: string) => placeAt(text.replace("|^", ""), text.indexOf("|^"));
  assert.equal(at("{|^").kind, "labelName");
  assert.deepEqual(at('{job="a", lev|^'), { kind: "labelName", from: 10, selector: '{job="a"}' });
  assert.deepEqual(at('{job="fl|^"}'), { kind: "labelValue", from: 6, label: "job", selector: "" });
  assert.equal(at('{job="a"} | js|^').kind, "stage");
  assert.equal(at('{job="a"} |^').kind, "afterSelector");
  assert.deepEqual(at('sum by (|^) (rate({job="a"}[5m]))'), { kind: "grouping", from: 8, selector: '{job="a"}' });
  assert.equal(at('rate({job="a"}[|^').kind, "range");
  assert.equal(at("ra|^").kind, "start");
  assert.equal(at('{job="a"} |= "te|^').kind, "none");
});

test("variables are masked without moving anything", () => {
  const m = maskVariables("rate(x[$__rate_interval]) * ${n}");
  assert.equal(m.text.length, "rate(x[$__rate_interval]) * ${n}".length);
  assert.match(m.text, /\[1+s\]/);
  assert.deepEqual(m.spans, [[7, 23], [28, 32]]);
});
