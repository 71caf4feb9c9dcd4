/* Value mappings and thresholds: texts and colours that stand for values. */
import type { Mapping, MappingResult, Threshold, Thresholds } from "./frame";

/* "/x/i" as written, anything else matched whole. */
export function patternOf(text: string): RegExp | null {
  try {
    const m = /^\/(.*?)\/([gimsuy]*)$/.exec(text);
    return m ? new RegExp(m[1]!, m[2]) : new RegExp(`^${text}$`);
  } catch {
    return null;
  }
}

function special(match: unknown, v: unknown): boolean {
  const nan = typeof v === "number" && v !== v;
  const none = v === null || v === undefined;
  switch (match) {
    case "null": return none;
    case "nan": return nan;
    case "null+nan": return nan || none;
    case "true": return v === true || v === "true";
    case "false": return v === false || v === "false";
    case "empty": return v === "";
    default: return false;
  }
}
/* from and to may be null or missing: no bound. */
const bound = (v: unknown, none: number) => (v === null || v === undefined || v === "" ? none : Number(v));

function one(m: Mapping, v: unknown): MappingResult | null {
  const o = m.options ?? {};
  if (m.type === "special") return special(o.match, v) ? (o.result as MappingResult) : null;
  if (v === null || v === undefined) return null;
  if (m.type === "value") return ((Object.hasOwn(o, String(v)) && o[String(v)]) as MappingResult) || null;
  if (m.type === "range") {
    const n = parseFloat(String(v));
    if (n !== n || n < bound(o.from, -Infinity) || n > bound(o.to, Infinity)) return null;
    return o.result as MappingResult;
  }
  if (m.type === "regex" && typeof v === "string") {
    const re = patternOf(String(o.pattern ?? ""));
    if (!re?.test(v)) return null;
    re.lastIndex = 0;
    const result = { ...(o.result as MappingResult) };
    if (result.text !== undefined && result.text !== null) result.text = v.replace(re, result.text);
    return result;
  }
  return null;
}

export function mapValue(mappings: Mapping[] | undefined, v: unknown): MappingResult | null {
  for (const m of Array.isArray(mappings) ? mappings : []) {
    const hit = m && one(m, v);
    if (hit) return hit;
  }
  return null;
}

/* The first step has no value: it holds from minus infinity. */
export const stepValue = (s: Threshold | null): number => s?.value ?? -Infinity;
export function activeThreshold(t: Thresholds | undefined, v: number, share: number): Threshold | undefined {
  const steps = t?.steps;
  if (!Array.isArray(steps) || !steps.length) return undefined;
  const x = t!.mode === "percentage" ? share * 100 : v;
  let active = steps[0]!;
  for (const s of steps) {
    if (!(x >= stepValue(s))) break;
    active = s;
  }
  return active;
}
