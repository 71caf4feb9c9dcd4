/* Log lines: time, level, text; a click shows labels. */
import { memo, useMemo, useState } from "react";
import { Empty } from "../components/States";
import { compareNs, type LogLine } from "../api/loki";
import { formatTime } from "../lib/time";
import type { Zone } from "../lib/zone";
import { levelOf } from "../semantics/level";
import { opt, type PanelProps } from "./types";

/* Labels that all lines have with one value. */
export function commonLabels(lines: LogLine[]): Record<string, string> {
  const first = lines[0];
  if (!first) return {};
  return Object.fromEntries(Object.entries(first.labels).filter(([k, v]) => lines.every((l) => l.labels[k] === v)));
}

const squash: Record<string, (line: string) => string> = {
  exact: (l) => l,
  numbers: (l) => l.replace(/\d/g, ""),
  signature: (l) => l.replace(/\w/g, ""),
};
/* Equal neighbours become one line with a count. */
export function dedup(lines: LogLine[], how: string): { line: LogLine; count: number }[] {
  const key = squash[how];
  const out: { line: LogLine; count: number }[] = [];
  for (const line of lines) {
    const last = out[out.length - 1];
    if (key && last && key(last.line.line) === key(line.line)) last.count++;
    else out.push({ line, count: 1 });
  }
  return out;
}

export function pretty(line: string): string {
  const t = line.trim();
  if (!t.startsWith("{") && !t.startsWith("[")) return line;
  try {
    return JSON.stringify(JSON.parse(t), null, 2);
  } catch {
    return line;
  }
}

interface RowProps { l: LogLine; count: number; zone: Zone; time: boolean; labels: boolean; wrap: boolean; prettify: boolean; details: boolean; unique: Record<string, string> | null }
const Row = memo(function Row({ l, count, zone, time, labels, wrap, prettify, details, unique }: RowProps) {
  const [open, setOpen] = useState(false);
  const level = levelOf(l.line, l.labels, l.metadata, l.parsed);
  const text = prettify ? pretty(l.line) : l.line;
  const body = (
    <>
      {time && <time title={`${formatTime(l.time, zone, true)} · ${l.ns} ns`}>{formatTime(l.time, zone, true).slice(5)}</time>}
      {count > 1 && <span className="log-count">{count}×</span>}
      {labels && unique && <span className="log-labels">{Object.entries(unique).map(([k, v]) => `${k}=${v}`).join(" ")}</span>}
      <span className="log-text">{text}</span>
    </>
  );
  return (
    <li className={`log-row ${level}${wrap || prettify ? " wrap" : ""}`}>
      <span className="sr">{level}</span>
      {details ? (
        <button type="button" className="log-line" aria-expanded={open} onClick={() => !getSelection()?.toString() && setOpen(!open)}>
          {body}
        </button>
      ) : (
        <div className="log-line">{body}</div>
      )}
      {open && (
        <dl className="log-details">
          {Object.entries({ ...l.labels, ...l.metadata, ...l.parsed }).map(([k, v]) => (
            <div key={k}>
              <dt>{k}</dt>
              <dd>{v}</dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
});

const step = 200;

export default function LogsPanel(p: PanelProps) {
  const [shown, setShown] = useState(step);
  const ascending = opt<string>(p.panel, "sortOrder", "Descending") === "Ascending";
  const lines = useMemo(() => {
    const all = p.frames.flatMap((f) => f.logs ?? []).sort((a, b) => (ascending ? compareNs(a.ns, b.ns) : compareNs(b.ns, a.ns)));
    return dedup(all, opt<string>(p.panel, "dedupStrategy", "none"));
  }, [p.frames, p.panel, ascending]);
  const common = useMemo(() => commonLabels(lines.map((l) => l.line)), [lines]);
  if (p.frames.length && !p.frames.some((f) => f.logs)) return <Empty title="These are not log lines">The query's answer is numbers. Choose a time series panel for it.</Empty>;
  if (!lines.length) return <Empty title="No log lines">Nothing was written in this time range that the query selects.</Empty>;
  const labels = opt(p.panel, "showLabels", false);
  const commonText = Object.entries(common).map(([k, v]) => `${k}=${v}`).join(" ");
  return (
    <div className="logs-panel" tabIndex={0} role="region" aria-label={`${p.panel.title || "Logs"}, ${lines.length} lines`}>
      {opt(p.panel, "showCommonLabels", false) && commonText && <div className="log-common">{commonText}</div>}
      <ol className="logs">
        {lines.slice(0, shown).map(({ line, count }, i) => (
          <Row
            key={line.ns + i}
            l={line}
            count={count}
            zone={p.zone}
            time={opt(p.panel, "showTime", false)}
            labels={labels}
            wrap={opt(p.panel, "wrapLogMessage", false)}
            prettify={opt(p.panel, "prettifyLogMessage", false)}
            details={opt(p.panel, "enableLogDetails", true)}
            unique={labels ? Object.fromEntries(Object.entries(line.labels).filter(([k]) => !(k in common))) : null}
          />
        ))}
      </ol>
      {lines.length > shown && (
        <button className="btn quiet more" onClick={() => setShown(shown + step * 5)}>
          Show more ({lines.length - shown} left)
        </button>
      )}
    </div>
  );
}
