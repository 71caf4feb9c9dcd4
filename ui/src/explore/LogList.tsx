/* Log lines: time, level, text with marks, and behind a click the labels with their filters. Rows out of sight are not
 * laid out (content-visibility), so some thousand lines stay quick. */
import { memo, useMemo, useState, type ReactNode } from "react";
import type { LogLine, Loki } from "../api/loki";
import { Icon } from "../components/icons";
import { formatTime } from "../lib/time";
import { Context } from "./Context";
import { levelOf, levelColor } from "./levels";

export interface Word { text: string; regex: boolean }
export interface LogFilter { onFilter: (name: string, value: string, op: "=" | "!=", stream: boolean) => void; onLine: (op: "|=" | "!=", text: string) => void }
export interface LogLook { time: boolean; labels: boolean; wrap: boolean; pretty: boolean }

export interface Shown { line: LogLine; repeats: number }
export type Dedup = "none" | "exact" | "numbers" | "signature";

/* Neighbours that are the same by the rule become one row with a count. */
export function dedup(lines: LogLine[], how: Dedup): Shown[] {
  const key = (l: string) => (how === "exact" ? l.replace(/^\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\s*/, "") : how === "numbers" ? l.replace(/\d/g, "") : l.replace(/\w/g, ""));
  const out: Shown[] = [];
  let last = "";
  for (const line of lines) {
    const k = how === "none" ? "" : key(line.line);
    const prev = out[out.length - 1];
    if (prev && how !== "none" && k === last) prev.repeats++;
    else out.push({ line, repeats: 0 });
    last = k;
  }
  return out;
}

function pattern(words: Word[]): RegExp | null {
  const parts = words.map((w) => (w.regex ? w.text.replace(/^\(\?i\)/, "") : w.text.replace(/[\\^$*+?.()|[\]{}]/g, "\\$&"))).filter(Boolean);
  if (!parts.length) return null;
  try {
    return new RegExp(parts.map((p) => `(?:${p})`).join("|"), words.some((w) => w.text.startsWith("(?i)")) ? "gi" : "g");
  } catch {
    return null; /* RE2 syntax that JavaScript does not have: no marks then */
  }
}

function marked(text: string, find: RegExp | null): ReactNode {
  if (!find) return text;
  const out: ReactNode[] = [];
  let at = 0;
  for (const m of text.matchAll(find)) {
    if (!m[0]) continue;
    if (m.index > at) out.push(text.slice(at, m.index));
    out.push(<mark key={m.index}>{m[0]}</mark>);
    at = m.index + m[0].length;
    if (out.length > 400) break;
  }
  return at ? [...out, text.slice(at)] : text;
}

const escapes = new RegExp("\\u001b\\[[0-9;]*m", "g");
function plainText(line: string, pretty: boolean): string {
  const text = line.includes("\u001b") ? line.replace(escapes, "") : line;
  if (!pretty || !/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

interface ListProps { rows: Shown[]; look: LogLook; words: Word[]; filter?: LogFilter; label: string; common: Record<string, string>; loki: Loki }
export const LogList = memo(function LogList({ rows, look, words, filter, label, common, loki }: ListProps) {
  const find = useMemo(() => pattern(words), [words]);
  return (
    <ol className={"line-list" + (look.wrap ? " wrap" : "")} aria-label={label}>
      {rows.map((r, i) => (
        <Row key={r.line.ns + i} row={r} look={look} find={find} filter={filter} common={common} loki={loki} />
      ))}
    </ol>
  );
});

interface RowProps { row: Shown; look: LogLook; find: RegExp | null; filter?: LogFilter; common: Record<string, string>; loki: Loki }
const Row = memo(function Row({ row, look, find, filter, common, loki }: RowProps) {
  const [open, setOpen] = useState(false);
  const { line } = row;
  const level = levelOf(line);
  const unique = look.labels ? Object.entries(line.labels).filter(([k, v]) => common[k] !== v) : [];
  return (
    <li className={open ? "open" : undefined}>
      <button type="button" className="line-row" aria-expanded={open} onClick={() => setOpen(!open)} title={`Level ${level}. Click for details`}>
        <span className="line-level" style={{ background: `var(${levelColor(level)})` }} />
        <span className="sr">{level}</span>
        {row.repeats > 0 && <span className="line-times">{row.repeats + 1}×</span>}
        {look.time && <time className="line-time">{formatTime(line.time, "browser", true)}</time>}
        {unique.length > 0 && <span className="line-labels">{unique.map(([k, v]) => `${k}=${v}`).join(" ")}</span>}
        <span className="line-text">{marked(plainText(line.line, look.pretty), find)}</span>
      </button>
      {open && <Details line={line} filter={filter} loki={loki} />}
    </li>
  );
});

function Details({ line, filter, loki }: { line: LogLine; filter?: LogFilter; loki: Loki }) {
  const [context, setContext] = useState(false);
  const groups: [string, Record<string, string>, boolean][] = [
    ["Labels", line.labels, true],
    ["Metadata", line.metadata, false],
    ["Parsed fields", line.parsed, false],
  ];
  return (
    <div className="line-details">
      <div className="line-detail-bar">
        <button className="btn quiet compact" onClick={() => void navigator.clipboard?.writeText(line.line)}>
          <Icon name="copy" size={14} /> Copy line
        </button>
        <button className="btn quiet compact" aria-expanded={context} onClick={() => setContext(!context)}>
          <Icon name="expand" size={14} /> {context ? "Hide" : "Lines around it"}
        </button>
        <span className="muted mono">{line.ns} ns</span>
      </div>
      {context && <Context loki={loki} line={line} />}
      {groups.map(([title, map, stream]) => {
        const rows = Object.entries(map);
        return rows.length ? (
          <table key={title} className="line-fields">
            <caption>{title}</caption>
            <tbody>
              {rows.sort().map(([k, v]) => (
                <tr key={k}>
                  <td>
                    {filter && (
                      <>
                        <button className="btn quiet icon tiny" aria-label={`Only lines with ${k}=${v}`} title="Filter for this value" onClick={() => filter.onFilter(k, v, "=", stream)}>
                          <Icon name="plus" size={13} />
                        </button>
                        <button className="btn quiet icon tiny" aria-label={`No lines with ${k}=${v}`} title="Filter this value out" onClick={() => filter.onFilter(k, v, "!=", stream)}>
                          <Icon name="minus" size={13} />
                        </button>
                      </>
                    )}
                  </td>
                  <th scope="row">{k}</th>
                  <td className="mono">{v}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : null;
      })}
    </div>
  );
}

/* Labels that all lines share. */
export function commonLabels(lines: LogLine[]): Record<string, string> {
  const first = lines[0]?.labels;
  if (!first) return {};
  const out = { ...first };
  const seen = new Set<Record<string, string>>([first]);
  for (const l of lines) {
    if (seen.has(l.labels)) continue;
    seen.add(l.labels);
    for (const k of Object.keys(out)) if (l.labels[k] !== out[k]) delete out[k];
  }
  return out;
}
