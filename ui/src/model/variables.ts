/* Template variables: their options, their values, and what they depend on. No network here (variable_sources.ts). */
import { variablesIn, type Lookup, type VariableValue } from "./interpolate";
import type { VariableModel } from "./types";

export interface Option { value: string; text: string }
export const allValue = "$__all";
export interface VariableState {
  model: VariableModel;
  options: Option[];
  /* values in use; [allValue] when All is chosen */
  value: string[];
  texts: string[];
  loading: boolean;
  error: unknown;
}

export const queryText = (m: VariableModel): string => {
  if (typeof m.query === "string") return m.query;
  if (!m.query) return m.definition ?? "";
  const q = m.query;
  if (q.query !== undefined) return q.query;
  if (q.type === 1) return q.stream ? `label_values(${q.stream}, ${q.label ?? ""})` : `label_values(${q.label ?? ""})`;
  if (q.type === 0) return "label_names()";
  return m.definition ?? "";
};
export const labelOf = (m: VariableModel) => m.label || m.name;
const sourceUid = (m: VariableModel) => (typeof m.datasource === "string" ? m.datasource : (m.datasource?.uid ?? ""));

/* Names of the other variables that this one's options come from. */
export function dependencies(m: VariableModel, names: Set<string>): string[] {
  const text = [queryText(m), m.regex ?? "", sourceUid(m)].join(" ");
  return [...new Set(variablesIn(text))].filter((n) => n !== m.name && names.has(n));
}

/* Models in an order in which each comes after what it depends on. Members of a circle come last, and are named. */
export function ordered(models: VariableModel[]): { order: VariableModel[]; circular: string[] } {
  const names = new Set(models.map((m) => m.name));
  const left = new Map(models.map((m) => [m.name, new Set(dependencies(m, names))]));
  const order: VariableModel[] = [];
  while (left.size) {
    const ready = models.filter((m) => left.has(m.name) && ![...left.get(m.name)!].some((d) => left.has(d)));
    if (!ready.length) break;
    for (const m of ready) {
      order.push(m);
      left.delete(m.name);
    }
  }
  const rest = models.filter((m) => left.has(m.name));
  return { order: [...order, ...rest], circular: rest.map((m) => m.name) };
}

/* "a, b : c\, d": values, or text and value. A list may also be JSON. */
export function customOptions(query: string): Option[] {
  const parts = query.match(/(?:\\,|[^,])+/g) ?? [];
  return parts.map((raw) => {
    const p = raw.replace(/\\,/g, ",").trim();
    const m = /^(.+?)\s:\s(.+)$/.exec(p);
    return m ? { text: m[1]!.trim(), value: m[2]!.trim() } : { text: p, value: p };
  });
}

const natural = new Intl.Collator("en", { numeric: true });
const numberIn = (t: string) => {
  const m = /\d+(?:\.\d+)?/.exec(t);
  return m ? +m[0] : -1;
};
export function sortOptions(options: Option[], sort: number | undefined): Option[] {
  const by: Record<number, (a: Option, b: Option) => number> = {
    1: (a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0),
    3: (a, b) => numberIn(a.text) - numberIn(b.text),
    5: (a, b) => a.text.toLowerCase().localeCompare(b.text.toLowerCase()),
    7: (a, b) => natural.compare(a.text, b.text),
  };
  if (!sort) return options;
  const out = [...options].sort(by[sort % 2 ? sort : sort - 1] ?? (() => 0));
  return sort % 2 ? out : out.reverse();
}

/* "/x(.*)/": keeps what matches; a group becomes the value, groups named text and value both. */
export function filterOptions(options: Option[], regex: string | undefined): Option[] {
  if (!regex) return unique(options);
  const m = /^\/(.*)\/([gimsuy]*)$/s.exec(regex);
  let re: RegExp;
  try {
    re = m ? new RegExp(m[1]!, m[2]!.includes("g") ? m[2] : m[2] + "g") : new RegExp(`^${regex}$`, "g");
  } catch {
    return unique(options);
  }
  const out: Option[] = [];
  for (const o of options)
    for (const hit of o.text.matchAll(re)) {
      if (hit.length === 1) {
        out.push(o);
        break;
      }
      const value = hit.groups?.value ?? hit.groups?.text ?? hit[1];
      const text = hit.groups?.text ?? hit.groups?.value ?? hit[1];
      if (value !== undefined) out.push({ value, text: text ?? value });
    }
  return unique(out);
}
function unique(options: Option[]): Option[] {
  const seen = new Set<string>();
  return options.filter((o) => !seen.has(o.value) && seen.add(o.value));
}

const listOf = (v: string | string[] | undefined): string[] => (v === undefined || v === null ? [] : Array.isArray(v) ? v : [v]).filter((x) => x !== "");

/* What to use: the address, else the dashboard's own choice, else All or the first option. */
export function pickValue(m: VariableModel, options: Option[], fromUrl: string[] | null, before: string[] | null): string[] {
  const known = (values: string[]) => values.filter((v) => v === allValue || options.some((o) => o.value === v || o.text === v)).map((v) => options.find((o) => o.value === v)?.value ?? options.find((o) => o.text === v)?.value ?? v);
  const wants = [fromUrl, before, listOf(m.current?.value)];
  for (const w of wants) {
    if (!w?.length) continue;
    const all = w.includes(allValue) || (w.length === 1 && w[0] === "All" && m.includeAll);
    if (all && m.includeAll) return [allValue];
    const valid = known(w.filter((v) => v !== allValue));
    if (valid.length) return m.multi ? valid : valid.slice(0, 1);
    /* A value given in the address is trusted: the source may not list it in this time range. */
    if (w === fromUrl && !all) return m.multi ? w : w.slice(0, 1);
  }
  if (m.includeAll) return [allValue];
  return options.length ? [options[0]!.value] : [];
}

/* The value as queries use it. */
export function valueOf(s: VariableState): VariableValue {
  const { model: m } = s;
  const multi = !!(m.multi || m.includeAll);
  if (s.value.includes(allValue)) {
    if (m.allValue) return { value: m.allValue, text: "All", custom: true, multi };
    return { value: s.options.map((o) => o.value), text: "All", multi };
  }
  const texts = s.value.map((v) => s.options.find((o) => o.value === v)?.text ?? v);
  return { value: multi && s.value.length !== 1 ? s.value : (s.value[0] ?? ""), text: texts.join(" + "), multi };
}

export function lookupIn(states: VariableState[], builtins: Record<string, string>): Lookup {
  const byName = new Map(states.map((s) => [s.model.name, s]));
  return (name) => {
    const s = byName.get(name);
    if (s) return valueOf(s);
    const b = builtins[name];
    return b === undefined ? undefined : { value: b, text: b };
  };
}

export function summaryText(s: VariableState): string {
  if (s.value.includes(allValue)) return "All";
  return s.value.map((v) => s.options.find((o) => o.value === v)?.text ?? v).join(" + ");
}
