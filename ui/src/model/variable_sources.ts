/* Where the options of variables come from: the data source's API, the list of data sources, or the variable itself. */
import { lokiOf } from "../api/loki";
import { labelsText, promOf } from "../api/prom";
import { dataSources, findDataSource, type DataSource } from "../boot";
import { intervalText, roundInterval } from "../query/interval";
import { parseDuration } from "../lib/time";
import { interpolate, queryFormat, type Lookup } from "./interpolate";
import { patternOf } from "../semantics/mappings";
import { customOptions, filterOptions, queryText, sortOptions, type Option } from "./variables";
import type { SourceRef, VariableModel } from "./types";

export interface Span { from: number; to: number }

/* A reference may itself hold a variable: {uid: "${datasource}"}. */
export function resolveSource(ref: SourceRef, lookup: Lookup, type?: string): DataSource | undefined {
  const uid = typeof ref === "string" ? ref : ref?.uid;
  const given = typeof ref === "string" ? undefined : ref?.type;
  const real = uid === undefined || uid === null ? undefined : interpolate(uid, lookup);
  if (real?.startsWith("${")) return findDataSource(null, given ?? type);
  return findDataSource(real ? { type: given, uid: real } : given ? { type: given } : null, type);
}

const asOptions = (list: string[]): Option[] => list.map((v) => ({ value: v, text: v }));

async function promOptions(source: DataSource, query: string, span: Span, signal?: AbortSignal): Promise<Option[]> {
  const prom = promOf(source);
  const time = { start: span.from, end: span.to };
  const call = /^(\w+)\(([\s\S]*)\)\s*$/.exec(query.trim());
  const args = call?.[2]!.trim() ?? "";
  switch (call?.[1]) {
    case "label_names": {
      const match = args ? { match: [`{__name__=~${JSON.stringify(`.*${args}.*`)}}`] } : {};
      return asOptions(await prom.labels({ ...time, ...match }, signal));
    }
    case "label_values": {
      const m = /^(?:([\s\S]+),\s*)?("[^"]+"|[a-zA-Z_][a-zA-Z0-9_.:]*)$/.exec(args);
      if (!m) throw new Error(`label_values() needs a label name: ${query}`);
      const label = m[2]!.replace(/^"|"$/g, "");
      return asOptions(await prom.labelValues(label, { ...time, ...(m[1] ? { match: [m[1].trim()] } : {}) }, signal));
    }
    case "metrics": {
      const names = await prom.labelValues("__name__", time, signal);
      const re = new RegExp(args || ".*");
      return asOptions(names.filter((n) => re.test(n)));
    }
    case "query_result": {
      const r = await prom.instant(args, span.to, signal);
      return r.series.map((s) => {
        const text = `${labelsText(s.labels)} ${s.values[0]} ${s.times[0]}`;
        return { text, value: text };
      });
    }
    default: {
      const all = await prom.series([query], time, signal);
      return asOptions(all.map(labelsText));
    }
  }
}

async function lokiOptions(source: DataSource, query: string, span: Span, signal?: AbortSignal): Promise<Option[]> {
  const loki = lokiOf(source);
  const time = { start: span.from, end: span.to };
  const call = /^(\w+)\(([\s\S]*)\)\s*$/.exec(query.trim());
  const args = call?.[2]!.trim() ?? "";
  if (call?.[1] === "label_names") return asOptions(await loki.labels(time, signal));
  if (call?.[1] !== "label_values") throw new Error(`A Loki variable is label_names() or label_values(): ${query}`);
  const m = /^(?:([\s\S]+),\s*)?([a-zA-Z_][a-zA-Z0-9_]*)$/.exec(args);
  if (!m) throw new Error(`label_values() needs a label name: ${query}`);
  return asOptions(await loki.labelValues(m[2]!, { ...time, ...(m[1] ? { query: m[1].trim() } : {}) }, signal));
}

function intervalOptions(m: VariableModel, span: Span): Option[] {
  const list = (String(m.query ?? "").match(/(["'])(.*?)\1|\w+/g) ?? []).map((t) => t.replace(/["']/g, ""));
  const options = asOptions(list);
  if (!m.auto) return options;
  const least = parseDuration(m.auto_min ?? "") ?? 0;
  const auto = intervalText(Math.max(roundInterval((span.to - span.from) / (m.auto_count || 30)), least));
  return [{ text: "auto", value: auto }, ...options];
}

function sourceOptions(m: VariableModel, regex: string): Option[] {
  const re = regex ? (patternOf(regex) ?? /.*/) : null;
  const list = dataSources().filter((d) => d.type === queryText(m) && (!re || re.test(d.name)));
  return list.map((d) => ({ value: d.uid, text: d.name }));
}

export async function loadOptions(m: VariableModel, lookup: Lookup, span: Span, signal?: AbortSignal): Promise<Option[]> {
  const regex = interpolate(m.regex ?? "", lookup);
  switch (m.type) {
    case "query": {
      const source = resolveSource(m.datasource, lookup, "prometheus");
      if (!source) throw new Error(`Data source ${JSON.stringify(m.datasource)} is not known here. Add it, or choose another in the dashboard's settings.`);
      const text = interpolate(queryText(m), lookup, queryFormat);
      if (!text.trim()) return [];
      const options = await (source.type === "loki" ? lokiOptions : promOptions)(source, text, span, signal);
      return sortOptions(filterOptions(options, regex), m.sort);
    }
    case "custom": return customOptions(interpolate(queryText(m), lookup));
    case "interval": return intervalOptions(m, span);
    case "datasource": return sourceOptions(m, regex);
    case "constant":
    case "textbox": {
      const value = queryText(m);
      return value === "" ? [] : [{ value, text: value }];
    }
    default: return (m.options ?? []).map((o) => ({ value: String(o.value), text: String(o.text) }));
  }
}
