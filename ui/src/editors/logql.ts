/* LogQL in the editor: Grafana's grammar, with colours, completion and checks of our own. */
import { insertCompletionText, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { LRLanguage } from "@codemirror/language";
import { linter, type Diagnostic } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { parser } from "@grafana/lezer-logql";
import { styleTags, tags as t } from "@lezer/highlight";
import type { Loki } from "../api/loki";
import { placeAt, type Place } from "./logqlContext";
import { maskVariables, touches } from "./variables";

const language = LRLanguage.define({
  parser: parser.configure({
    props: [
      styleTags({
        "Identifier LabelName GroupingLabel": t.labelName,
        String: t.string,
        "Number Duration Bytes": t.number,
        LineComment: t.lineComment,
        "Json Logfmt Unpack Pattern Regexp Unwrap LabelFormat LineFormat Decolorize Drop Keep By Without On Ignoring GroupLeft GroupRight Bool Offset": t.keyword,
        "Sum Avg Count Max Min Stddev Stdvar Bottomk Topk Sort Sort_Desc Approx_Topk LabelReplace Vector Ip": t.function(t.variableName),
        "CountOverTime Rate RateCounter BytesOverTime BytesRate AvgOverTime SumOverTime MinOverTime MaxOverTime StddevOverTime StdvarOverTime QuantileOverTime FirstOverTime LastOverTime AbsentOverTime BytesConv DurationConv DurationSecondsConv": t.function(t.variableName),
        "Eq Neq Re Nre PipeExact PipeMatch PipePattern Npa Gtr Gte Lss Lte Eql Add Sub Mul Div Mod Pow": t.operator,
        "And Or Unless": t.logicOperator,
        Pipe: t.operator,
        "⚠": t.invalid,
      }),
    ],
  }),
  languageData: { closeBrackets: { brackets: ["(", "[", "{", '"', "`"] }, commentTokens: { line: "#" } },
});

type Row = [label: string, detail: string, info: string];
const option = (type: string, after = "") => ([label, detail, info]: Row): Completion => ({ label, detail, info, type, ...(after && { apply: insertBefore(label, after) }) });
/* "rate" becomes "rate(|)": the text after the word, cursor before its last character. */
function insertBefore(label: string, after: string) {
  return (view: EditorView, _c: Completion, from: number, to: number) => {
    view.dispatch(insertCompletionText(view.state, label + after, from, to));
    view.dispatch({ selection: { anchor: from + label.length + after.length - 1 } });
  };
}

const rangeFunctions: Row[] = [
  ["rate", "per second", "Lines a second over the range"],
  ["count_over_time", "lines", "Number of lines in the range"],
  ["bytes_rate", "bytes/s", "Bytes of lines a second"],
  ["bytes_over_time", "bytes", "Bytes of lines in the range"],
  ["absent_over_time", "0 or 1", "1 when the range has no lines"],
  ["rate_counter", "unwrapped", "Per-second increase of an unwrapped counter"],
  ["sum_over_time", "unwrapped", "Sum of unwrapped values"],
  ["avg_over_time", "unwrapped", "Average of unwrapped values"],
  ["min_over_time", "unwrapped", "Smallest unwrapped value"],
  ["max_over_time", "unwrapped", "Largest unwrapped value"],
  ["stddev_over_time", "unwrapped", "Standard deviation of unwrapped values"],
  ["stdvar_over_time", "unwrapped", "Variance of unwrapped values"],
  ["first_over_time", "unwrapped", "First unwrapped value"],
  ["last_over_time", "unwrapped", "Last unwrapped value"],
  ["quantile_over_time", "φ, unwrapped", "Quantile of unwrapped values"],
];
const aggregations: Row[] = [
  ["sum", "aggregation", "Sum over labels"],
  ["avg", "aggregation", "Average over labels"],
  ["min", "aggregation", "Smallest over labels"],
  ["max", "aggregation", "Largest over labels"],
  ["count", "aggregation", "Number of series"],
  ["stddev", "aggregation", "Standard deviation over labels"],
  ["stdvar", "aggregation", "Variance over labels"],
  ["topk", "k, aggregation", "The k largest series"],
  ["bottomk", "k, aggregation", "The k smallest series"],
  ["sort", "order", "Ascending by value"],
  ["sort_desc", "order", "Descending by value"],
];
const stages: Row[] = [
  ["json", "parser", "Labels out of JSON lines"],
  ["logfmt", "parser", "Labels out of key=value lines"],
  ["pattern", "parser", "Labels out of lines of one form: <ip> - <_> \"<method> <path>\""],
  ["regexp", "parser", "Labels out of named groups of a regular expression"],
  ["unpack", "parser", "Labels packed by the agent"],
  ["line_format", "format", "The line anew from a template"],
  ["label_format", "format", "Labels renamed or made from a template"],
  ["unwrap", "metric", "The label whose value is measured"],
  ["drop", "labels", "Labels left out"],
  ["keep", "labels", "Only these labels"],
  ["decolorize", "format", "ANSI colours removed"],
];
const lineFilters: Row[] = [
  ["|=", "contains", "Lines that contain the text"],
  ["!=", "contains not", "Lines that do not contain the text"],
  ["|~", "matches", "Lines that match the regular expression"],
  ["!~", "matches not", "Lines that do not match the regular expression"],
];
const withText = new Set(["pattern", "regexp", "line_format"]);
const durations = ["$__auto", "1m", "5m", "10m", "30m", "1h", "1d"];

/* In the order written, not by the alphabet. */
const ranked = (list: Completion[]): Completion[] => list.map((c, i) => ({ ...c, boost: 99 - i }));

const start: Completion[] = ranked([{ label: "{", detail: "stream selector", type: "keyword", apply: "{" }, ...rangeFunctions.map(option("function", "()")), ...aggregations.map(option("function", "()"))]);
const afterPipe: Completion[] = ranked(stages.map((r) => (withText.has(r[0]) ? option("keyword", " ``")(r) : option("keyword")(r))));
const afterSelector: Completion[] = ranked([
  ...lineFilters.map((r): Completion => ({ ...option("operator")(r), apply: insertBefore(r[0], ' ""') })),
  ...stages.map((r): Completion => {
    const label = "| " + r[0];
    return { label, detail: r[1], info: r[2], type: "keyword", apply: withText.has(r[0]) ? insertBefore(label, " ``") : label };
  }),
]);

/* Asks for labels and values; answers are kept for a minute. */
class Names {
  private kept = new Map<string, { at: number; value: Promise<string[]> }>();
  constructor(private loki: Loki, private range: () => { from: number; to: number }) {}
  private once(key: string, ask: () => Promise<string[]>): Promise<string[]> {
    const hit = this.kept.get(key);
    if (hit && Date.now() - hit.at < 60_000) return hit.value;
    const value = ask().catch(() => {
      this.kept.delete(key);
      return [];
    });
    this.kept.set(key, { at: Date.now(), value });
    return value;
  }
  labels(selector: string): Promise<string[]> {
    const { from: start, to: end } = this.range();
    if (!selector) return this.once("n", () => this.loki.labels({ start, end }));
    return this.once("n" + selector, async () => [...new Set((await this.loki.series([selector], { start, end })).flatMap((l) => Object.keys(l)))].sort());
  }
  values(label: string, selector: string): Promise<string[]> {
    const { from: start, to: end } = this.range();
    return this.once(`v${label}|${selector}`, () => this.loki.labelValues(label, { start, end, ...(selector && { query: selector }) }));
  }
}

async function options(place: Place, names: Names): Promise<Completion[]> {
  switch (place.kind) {
    case "labelName":
      return (await names.labels(place.selector)).map((label) => ({ label, type: "property", apply: insertBefore(label, '=""') }));
    case "labelValue":
      return (await names.values(place.label, place.selector)).map((label) => ({ label, type: "text", apply: label.replace(/["\\]/g, "\\$&") }));
    case "stage":
      return [...afterPipe, ...(await names.labels(place.selector)).map((label) => ({ label, detail: "label filter", type: "property" }))];
    case "grouping":
      return (await names.labels(place.selector)).map((label) => ({ label, type: "property" }));
    case "afterSelector":
      return afterSelector;
    case "range":
      return ranked(durations.map((label) => ({ label, type: "text" })));
    case "start":
      return start;
    default:
      return [];
  }
}

function complete(names: Names) {
  return async (c: CompletionContext): Promise<CompletionResult | null> => {
    const place = placeAt(c.state.doc.toString(), c.pos);
    if (place.kind === "none") return null;
    const eager = place.kind === "labelName" || place.kind === "labelValue" || place.kind === "range" || place.kind === "stage" || place.kind === "grouping";
    if (!c.explicit && !eager && place.from === c.pos) return null;
    const list = await options(place, names);
    return list.length ? { from: place.from, options: list, validFor: place.kind === "labelValue" ? /^[^"`]*$/ : place.kind === "afterSelector" ? undefined : /^[\w:$]*$/ } : null;
  };
}

function check(view: EditorView): Diagnostic[] {
  const { text, spans } = maskVariables(view.state.doc.toString());
  const found: Diagnostic[] = [];
  if (!text.trim()) return found;
  parser.parse(text).iterate({
    enter(node) {
      if (!node.type.isError || found.length || touches(spans, node.from - 1, node.to + 1)) return;
      const from = Math.min(node.from, text.length - 1);
      found.push({ from, to: Math.max(node.to, from + 1), severity: "error", message: node.to >= text.length ? "The query is not finished here." : "This is not LogQL." });
    },
  });
  return found;
}

export function logql(loki: Loki, range: () => { from: number; to: number }): Extension {
  const names = new Names(loki, range);
  return [language, language.data.of({ autocomplete: complete(names) }), linter(check, { delay: 600 })];
}
