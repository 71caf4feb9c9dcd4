/* Variables in texts and queries: $name, ${name}, ${name:format}, ${name.field:format}, [[name]]. What is no known
 * variable stays as written. */
import { datePattern } from "../semantics/units";

export interface VariableValue {
  /* one value, or several; "All" is already spelled out here */
  value: string | string[];
  text: string;
  /* the list of values stands for a pattern the author gave for All */
  custom?: boolean;
  multi?: boolean;
}
export type Lookup = (name: string) => VariableValue | undefined;
/* quoted: the place is inside a "string" of the text */
export type Formatter = (v: VariableValue, name: string, quoted?: boolean) => string;

const token = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:}]+))?(?::([^}]+))?\}/g;

/* Names of the variables a text uses. */
export function variablesIn(text: string): string[] {
  return [...text.matchAll(token)].map((m) => m[1] ?? m[2] ?? m[4]!);
}

/* scope: fields like __field.name or __series.name, found by their whole path. */
export function interpolate(text: string, lookup: Lookup, format: Formatter = formats.glob!, scope?: Record<string, string>): string {
  if (!text.includes("$") && !text.includes("[[")) return text;
  return text.replace(token, (whole, plain?: string, square?: string, squareFormat?: string, braced?: string, field?: string, bracedFormat?: string, ...rest: unknown[]) => {
    const name = plain ?? square ?? braced!;
    const wanted = squareFormat ?? bracedFormat;
    if (scope) {
      const hit = scope[field ? `${name}.${field}` : name];
      if (hit !== undefined) return hit;
    }
    const v = lookup(name);
    if (v === undefined) return whole;
    if (field === "text" && !wanted) return v.text;
    if (!wanted) return format(v, name, insideString(text, rest[0] as number));
    const [kind, ...args] = wanted.split(":");
    if (kind === "date") return dateFormat(String(v.value), args.join(":"));
    const f = formats[kind!];
    return f ? f(v, name) : format(v, name);
  });
}

/* An odd number of double quotes before it, escaped ones not counted. */
function insideString(text: string, at: number): boolean {
  let open = false;
  for (let i = 0; i < at; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') open = !open;
  }
  return open;
}

function dateFormat(ms: string, how: string): string {
  const ts = +ms;
  if (!how || how === "iso") return new Date(ts).toISOString();
  if (how === "seconds") return String(Math.round(ts / 1000));
  return datePattern(ts, how);
}

const list = (v: VariableValue): string[] => (Array.isArray(v.value) ? v.value : [v.value]);
const escapeRegex = (s: string) => s.replace(/[\\^$*+?.()|[\]{}/]/g, "\\$&");
const encode = (s: string) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
const lucene = (s: string) => s.replace(/([!*+\-=<>\s&|()[\]{}^~?:\\/"])/g, "\\$1");

export const formats: Record<string, Formatter> = {
  raw: (v) => list(v).join(","),
  csv: (v) => list(v).join(","),
  glob: (v) => (Array.isArray(v.value) && v.value.length > 1 ? `{${v.value.join(",")}}` : list(v).join("")),
  pipe: (v) => list(v).join("|"),
  regex: (v) => (v.custom ? list(v).join("") : list(v).length > 1 ? `(${list(v).map(escapeRegex).join("|")})` : escapeRegex(list(v)[0] ?? "")),
  json: (v) => JSON.stringify(v.value),
  text: (v) => v.text,
  distributed: (v, name) => list(v).map((s, i) => (i ? `${name}=${s}` : s)).join(","),
  doublequote: (v) => list(v).map((s) => `"${s.replace(/"/g, '\\"')}"`).join(","),
  singlequote: (v) => list(v).map((s) => `'${s.replace(/'/g, "\\'")}'`).join(","),
  sqlstring: (v) => list(v).map((s) => `'${s.replace(/'/g, "''")}'`).join(","),
  percentencode: (v) => (Array.isArray(v.value) && v.value.length > 1 ? encode(`{${v.value.join(",")}}`) : encode(list(v).join(""))),
  uriencode: (v) => encodeURI(list(v).join(",")),
  lucene: (v) => (list(v).length > 1 ? `(${list(v).map((s) => `"${lucene(s)}"`).join(" OR ")})` : lucene(list(v)[0] ?? "")),
  queryparam: (v, name) => list(v).map((s) => `var-${name}=${encode(s)}`).join("&"),
  customqueryparam: (v, name) => list(v).map((s) => `${name}=${encode(s)}`).join("&"),
  join: (v) => list(v).join(","),
};

/* Inside PromQL and LogQL: several values become an alternation, escaped for a regular expression within a string. */
const inString = (s: string) => s.replace(/\\/g, "\\\\\\\\").replace(/[$^*{}[\]'+?.()|]/g, "\\\\$&");
export const queryFormat: Formatter = (v, _name, quoted) => {
  if (v.custom) return list(v).join("");
  if (!v.multi) return quoted ? list(v).join(",").replace(/\\/g, "\\\\").replace(/"/g, '\\"') : list(v).join(",");
  const all = list(v).map(inString);
  return all.length === 1 ? all[0]! : `(${all.join("|")})`;
};
