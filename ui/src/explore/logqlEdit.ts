/* Changes of a LogQL query by clicking: a label filter added or taken back, a line filter added. Works on the text, so
 * that what the user wrote stays as written. Pure. */
const matcherAt = /([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/g;

export const quote = (s: string) => JSON.stringify(s);

/* The stream selectors' bodies, outside of quotes. */
function selectors(query: string): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  let open = -1;
  for (let i = 0; i < query.length; i++) {
    const c = query[i]!;
    if (c === '"' || c === "`") {
      const end = closing(query, i);
      i = end;
    } else if (c === "{") open = i + 1;
    else if (c === "}" && open >= 0) {
      found.push({ from: open, to: i });
      open = -1;
    }
  }
  return found;
}
function closing(s: string, at: number): number {
  const q = s[at];
  for (let i = at + 1; i < s.length; i++) {
    if (s[i] === "\\" && q === '"') i++;
    else if (s[i] === q) return i;
  }
  return s.length;
}

export interface LabelMatcher { name: string; op: string; value: string }
export function matchersOf(query: string): LabelMatcher[] {
  const s = selectors(query)[0];
  if (!s) return [];
  return [...query.slice(s.from, s.to).matchAll(matcherAt)].map((m) => ({ name: m[1]!, op: m[2]!, value: m[3]!.startsWith("`") ? m[3]!.slice(1, -1) : unquote(m[3]!) }));
}
function unquote(s: string): string {
  try {
    return JSON.parse(s) as string;
  } catch {
    return s.slice(1, -1);
  }
}

/* Sets label=value (or !=) in every stream selector; the opposite filter on the same value goes. Labels made by
 * parsers are no stream labels: they become a label filter behind the pipeline. */
export function filterLabel(query: string, name: string, value: string, op: "=" | "!=", isStream = true): string {
  if (!isStream) return appendStage(query, `| ${name}${op}${quote(value)}`);
  const list = selectors(query);
  if (!list.length) return `{${name}${op}${quote(value)}}`;
  let out = query;
  for (const { from, to } of list.reverse()) {
    const opposite = op === "=" ? "!=" : "=";
    const parts = splitMatchers(query.slice(from, to)).filter((p) => {
      const m = [...p.matchAll(matcherAt)][0];
      return !(m && m[1] === name && (m[2] === opposite || (op === "=" && m[2] === "=")) && (op === "=" || unquote(m[3]!) === value));
    });
    const fresh = `${name}${op}${quote(value)}`;
    if (!parts.some((p) => p.trim() === fresh)) parts.push((parts.length ? " " : "") + fresh);
    /* A selector needs something that must be there. */
    if (!parts.some(isPositive)) parts.unshift(`${name}=~".+"`, ` ${parts.shift()!.trimStart()}`);
    out = out.slice(0, from) + parts.join(",").trimStart() + out.slice(to);
  }
  return out;
}

const isPositive = (matcher: string) => /^\s*[A-Za-z_]\w*\s*=/.test(matcher);

/* Commas outside of quotes separate matchers. */
function splitMatchers(body: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < body.length; i++) {
    if (body[i] === '"' || body[i] === "`") i = closing(body, i);
    else if (body[i] === ",") {
      parts.push(body.slice(start, i));
      start = i + 1;
    }
  }
  if (body.slice(start).trim()) parts.push(body.slice(start));
  return parts;
}

/* Behind the pipeline of a log query; in a metric query in front of its range. */
export function appendStage(query: string, stage: string): string {
  const q = query.trimEnd();
  const range = /\s*\[[^\]]*\]/.exec(q);
  if (!isMetric(q) || !range) return `${q} ${stage}`;
  return `${q.slice(0, range.index)} ${stage} ${q.slice(range.index).trimStart()}`;
}

export const addLineFilter = (query: string, op: "|=" | "!=", value: string) => appendStage(query, `${op} ${quote(value)}`);

/* A metric query begins with a function, an aggregation, a number or a bracket; a log query with its selector. */
export const isMetric = (query: string): boolean => {
  const q = query.replace(/^\s*(#[^\n]*\n\s*)*/, "");
  return q !== "" && !q.startsWith("{");
};

/* The texts that line filters look for, to mark them in the lines. */
export function searchWords(query: string): { text: string; regex: boolean }[] {
  const found: { text: string; regex: boolean }[] = [];
  const filter = /\|([=~])\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/g;
  for (let m = filter.exec(query); m; m = filter.exec(query)) {
    const text = m[2]!.startsWith("`") ? m[2]!.slice(1, -1) : unquote(m[2]!);
    if (text) found.push({ text, regex: m[1] === "~" });
  }
  return found;
}
