/* Edits to JSON as text, so that everything not edited keeps its bytes: key order, number spelling, white space. */

/* Where the value at a path starts and ends in text. Text is valid JSON (it was parsed before). */
export function spanOf(text: string, path: (string | number)[]): [start: number, end: number] | null {
  let at = skipSpace(text, 0);
  for (const key of path) {
    const found = typeof key === "number" ? element(text, at, key) : member(text, at, key);
    if (found === null) return null;
    at = found;
  }
  return [at, skipValue(text, at)];
}

/* The text with the value at path replaced; a last key that is missing is added to its object. */
export function setAt(text: string, path: (string | number)[], value: unknown): string {
  const json = JSON.stringify(value);
  const span = spanOf(text, path);
  if (span) {
    const old = text.slice(...span);
    return JSON.stringify(JSON.parse(old)) === json ? text : text.slice(0, span[0]) + json + text.slice(span[1]);
  }
  const holder = spanOf(text, path.slice(0, -1));
  const key = path[path.length - 1];
  if (!holder || typeof key !== "string" || text[holder[0]] !== "{") throw new Error(`There is no place for ${path.join(".")} in this dashboard.`);
  const inside = skipSpace(text, holder[0] + 1);
  const empty = text[inside] === "}";
  const space = text.slice(holder[0] + 1, inside);
  const entry = `${JSON.stringify(key)}:${/\s/.test(space) ? " " : ""}${json}`;
  return empty ? text.slice(0, holder[0] + 1) + entry + text.slice(inside) : text.slice(0, inside) + entry + "," + space + text.slice(inside);
}

function skipSpace(t: string, at: number): number {
  while (t[at] === " " || t[at] === "\n" || t[at] === "\t" || t[at] === "\r") at++;
  return at;
}
function skipString(t: string, at: number): number {
  for (at++; t[at] !== '"'; at++) if (t[at] === "\\") at++;
  return at + 1;
}
/* Nesting is walked without recursion. */
function skipValue(t: string, at: number): number {
  if (t[at] === '"') return skipString(t, at);
  if (t[at] !== "{" && t[at] !== "[") {
    while (at < t.length && !/[\s,\]}]/.test(t[at]!)) at++;
    return at;
  }
  let depth = 0;
  for (; at < t.length; ) {
    const c = t[at];
    if (c === '"') {
      at = skipString(t, at);
      continue;
    }
    if (c === "{" || c === "[") depth++;
    if ((c === "}" || c === "]") && --depth === 0) return at + 1;
    at++;
  }
  return at;
}
function member(t: string, at: number, key: string): number | null {
  if (t[at] !== "{") return null;
  let found: number | null = null;
  at = skipSpace(t, at + 1);
  while (t[at] === '"') {
    const end = skipString(t, at);
    const name = JSON.parse(t.slice(at, end)) as string;
    const value = skipSpace(t, skipSpace(t, end) + 1);
    /* of equal keys the last one counts, as in JSON.parse */
    if (name === key) found = value;
    at = skipSpace(t, skipValue(t, value));
    if (t[at] === ",") at = skipSpace(t, at + 1);
  }
  return found;
}
function element(t: string, at: number, index: number): number | null {
  if (t[at] !== "[") return null;
  at = skipSpace(t, at + 1);
  for (let i = 0; t[at] !== "]" && at < t.length; i++) {
    if (i === index) return at;
    at = skipSpace(t, skipValue(t, at));
    if (t[at] === ",") at = skipSpace(t, at + 1);
  }
  return null;
}
