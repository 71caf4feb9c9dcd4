/* What may stand at a place in a LogQL query. Pure: works on the text before the cursor, so that it answers in half
 * written queries, which no grammar accepts. */
export type Place =
  | { kind: "labelName"; from: number; selector: string }
  | { kind: "labelValue"; from: number; label: string; selector: string }
  | { kind: "afterSelector"; from: number }
  | { kind: "stage"; from: number; selector: string }
  | { kind: "grouping"; from: number; selector: string }
  | { kind: "range"; from: number }
  | { kind: "start"; from: number }
  | { kind: "none" };

interface Scan {
  /* position of the innermost open bracket, by kind */
  open: { ch: string; at: number }[];
  /* an open quote */
  quote: { ch: string; at: number } | null;
  selectors: string[];
}

function scan(text: string): Scan {
  const s: Scan = { open: [], quote: null, selectors: [] };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (s.quote) {
      if (c === "\\" && s.quote.ch === '"') i++;
      else if (c === s.quote.ch) s.quote = null;
    } else if (c === '"' || c === "`") s.quote = { ch: c, at: i };
    else if (c === "#") while (i + 1 < text.length && text[i + 1] !== "\n") i++;
    else if (c === "{" || c === "(" || c === "[") s.open.push({ ch: c, at: i });
    else if (c === "}" || c === ")" || c === "]") {
      const o = s.open.pop();
      if (c === "}" && o?.ch === "{") s.selectors.push(text.slice(o.at, i + 1));
    }
  }
  return s;
}

const wordBefore = (text: string) => /[\w:]*$/.exec(text)![0];

/* The matchers in front of the one being written, as a selector: "{job="a"}"; empty when there are none. */
function matchersBefore(inside: string): string {
  const parts: string[] = [];
  const one = /([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/g;
  for (let m = one.exec(inside); m; m = one.exec(inside)) parts.push(`${m[1]}${m[2]}${m[3]}`);
  return parts.length ? `{${parts.join(",")}}` : "";
}

export function placeAt(query: string, pos: number): Place {
  const text = query.slice(0, pos);
  const s = scan(text);
  const inner = s.open[s.open.length - 1];
  if (s.quote) {
    if (inner?.ch !== "{") return { kind: "none" };
    const m = /([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)\s*$/.exec(text.slice(0, s.quote.at));
    return m ? { kind: "labelValue", from: s.quote.at + 1, label: m[1]!, selector: matchersBefore(text.slice(inner.at + 1, s.quote.at)) } : { kind: "none" };
  }
  const word = wordBefore(text);
  const from = pos - word.length;
  const before = text.slice(0, from);
  const selector = s.selectors[s.selectors.length - 1] ?? "";
  if (inner?.ch === "{") return /[{,]\s*$/.test(before) ? { kind: "labelName", from, selector: matchersBefore(text.slice(inner.at + 1)) } : { kind: "none" };
  if (inner?.ch === "[") return { kind: "range", from: inner.at + 1 };
  if (inner && /\b(by|without|on|ignoring|group_left|group_right)\s*$/.test(text.slice(0, inner.at))) return { kind: "grouping", from, selector: selector || selectorAfter(query.slice(pos)) };
  if (/\|\s*$/.test(before)) return { kind: "stage", from, selector };
  if (/[}\])"`]\s+$/.test(before) && selector) return { kind: "afterSelector", from };
  if (/(^|[(,+\-*/%^<>=]|\b(and|or|unless)\s)\s*$/.test(before)) return { kind: "start", from };
  return { kind: "none" };
}

/* In `sum by (|) (rate({job="a"}[5m]))` the selector comes later. */
function selectorAfter(text: string): string {
  return /\{[^}]*\}/.exec(text)?.[0] ?? "";
}
