/* What the same stream wrote just before and after a line. */
import { useEffect, useState } from "react";
import { compareNs, type LogLine, type Loki } from "../api/loki";
import { Failed, SkeletonRows } from "../components/States";
import { formatTime } from "../lib/time";
import { levelColor, levelOf } from "./levels";

const around = 10;
const hourNs = 3_600_000_000_000n;

export function streamSelector(labels: Record<string, string>): string {
  return `{${Object.entries(labels)
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join(", ")}}`;
}

/* Older and newer neighbours, in the order of time, the line itself between them. */
async function neighbours(loki: Loki, line: LogLine, n: number, signal: AbortSignal): Promise<LogLine[]> {
  const query = streamSelector(line.labels);
  const at = BigInt(line.ns);
  const [older, newer] = await Promise.all([
    loki.range({ query, start: String(at - hourNs), end: line.ns, limit: n, direction: "backward" }, signal),
    loki.range({ query, start: line.ns, end: String(at + hourNs), limit: n + 1, direction: "forward" }, signal),
  ]);
  return [...older.lines, ...newer.lines].sort((a, b) => compareNs(a.ns, b.ns));
}

export function Context({ loki, line }: { loki: Loki; line: LogLine }) {
  const [n, setN] = useState(around);
  const [lines, setLines] = useState<LogLine[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const stop = new AbortController();
    neighbours(loki, line, n, stop.signal)
      .then(setLines)
      .catch((e: unknown) => {
        if (!stop.signal.aborted) setError(e);
      });
    return () => stop.abort();
  }, [loki, line, n]);
  if (error) return <Failed error={error} what="The lines around this one cannot be shown" />;
  if (!lines) return <SkeletonRows rows={5} height={14} />;
  return (
    <div className="context">
      <ol className="line-list wrap" aria-label="Lines around this one">
        {lines.map((l, i) => (
          <li key={l.ns + i} className={l.ns === line.ns && l.line === line.line ? "here" : undefined}>
            <div className="line-row">
              <span className="line-level" style={{ background: `var(${levelColor(levelOf(l))})` }} />
              <time className="line-time">{formatTime(l.time, "browser", true)}</time>
              <span className="line-text">{l.line}</span>
            </div>
          </li>
        ))}
      </ol>
      <button className="btn quiet compact" onClick={() => setN(n * 3)}>
        More lines around it
      </button>
    </div>
  );
}
