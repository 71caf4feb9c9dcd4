/* PromQL in the editor: Prometheus' own grammar, completion and checks, asking through our client. */
import type { Diagnostic } from "@codemirror/lint";
import { EditorState, type Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { EqlRegex, Neq, NeqRegex } from "@prometheus-io/lezer-promql";
import { LanguageType, PromQLExtension, promQLLanguage, type PrometheusClient } from "@prometheus-io/codemirror-promql";
import type { Prom } from "../api/prom";
import { maskVariables, touches } from "./variables";

interface Matcher { name: string; value: string; type: number; matchesEmpty(): boolean }
/* A matcher's type is the number of its grammar rule. */
const operators: Record<number, string> = { [EqlRegex]: "=~", [Neq]: "!=", [NeqRegex]: "!~" };

const limit = 10_000;
const keepMs = 5 * 60_000;

/* Answers are kept for some minutes; failures are empty lists, because a completion must not be in the way. */
export class Completer implements PrometheusClient {
  private kept = new Map<string, { at: number; value: Promise<unknown> }>();
  constructor(private prom: Prom, private range: () => { from: number; to: number }) {}

  private once<T>(key: string, ask: () => Promise<T>, empty: T): Promise<T> {
    const hit = this.kept.get(key);
    if (hit && Date.now() - hit.at < keepMs) return hit.value as Promise<T>;
    const value = ask().catch(() => {
      this.kept.delete(key);
      return empty;
    });
    this.kept.set(key, { at: Date.now(), value });
    return value;
  }
  private span() {
    const { from, to } = this.range();
    return { start: from, end: to, limit };
  }
  labelNames(metric?: string) {
    return this.once(`n:${metric ?? ""}`, () => this.prom.labels({ ...this.span(), ...(metric && { match: [selector(metric, [])] }) }), [] as string[]);
  }
  labelValues(label: string, metric?: string, matchers: Matcher[] = []) {
    const match = metric || matchers.length ? [selector(metric, matchers.filter((m) => m.name !== label))] : undefined;
    return this.once(`v:${label}:${match ?? ""}`, () => this.prom.labelValues(label, { ...this.span(), ...(match?.[0] !== "{}" && { match }) }), [] as string[]);
  }
  metricMetadata() {
    return this.once("m", () => this.prom.metadata(), {});
  }
  async series(metric: string, matchers: Matcher[] = []): Promise<Map<string, string>[]> {
    const all = await this.once(`s:${metric}:${JSON.stringify(matchers)}`, () => this.prom.series([selector(metric, matchers)], { ...this.span(), limit: 2000 }), []);
    return all.map((l) => new Map(Object.entries(l)));
  }
  metricNames() {
    return this.labelValues("__name__");
  }
  flags() {
    return Promise.resolve({});
  }
}

function selector(metric: string | undefined, matchers: Matcher[]): string {
  const parts = matchers.filter((m) => m.name && !m.matchesEmpty()).map((m) => `${m.name}${operators[m.type] ?? "="}${JSON.stringify(m.value)}`);
  return `${metric ?? ""}{${parts.join(",")}}`;
}

const language = promQLLanguage(LanguageType.PromQL);

/* Positions of the masked text are those of the text; what touches a variable is not the user's mistake. */
function checker(check: (view: EditorView) => readonly Diagnostic[] | Promise<readonly Diagnostic[]>) {
  return async (view: EditorView): Promise<readonly Diagnostic[]> => {
    const { text, spans } = maskVariables(view.state.doc.toString());
    if (!text.trim()) return [];
    const masked = EditorState.create({ doc: text, extensions: [language] });
    const found = await check({ state: masked } as EditorView);
    return found.filter((d) => !touches(spans, d.from, d.to));
  };
}

export function promql(prom: Prom, range: () => { from: number; to: number }): Extension {
  const ext = new PromQLExtension().setComplete({ remote: new Completer(prom, range) as unknown as PrometheusClient, maxMetricsMetadata: 5000 });
  const own = ext.getLinter();
  ext.setLinter({ promQL: () => checker(own.promQL()) });
  return ext.asExtension();
}
