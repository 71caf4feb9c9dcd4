/* A log answer: how many lines of each level over time, then the lines. */
import { useEffect, useMemo, useState } from "react";
import { lokiOf, compareNs, type LogLine } from "../api/loki";
import type { DataSource } from "../boot";
import { TimeChart, type ChartSeries } from "../charts/TimeChart";
import { Empty } from "../components/States";
import { recall, remember } from "../lib/store";
import { token, useTheme } from "../lib/theme";
import { roundInterval } from "../query/interval";
import { countLines, levelOfWord, levels, levelColor, type Level, type Volume } from "./levels";
import { commonLabels, dedup, LogList, type Dedup, type LogFilter, type LogLook } from "./LogList";
import { searchWords } from "./logqlEdit";
import type { Range } from "./run";
import { useWidth } from "./useSize";

/* From the source when it can; else from the lines shown. */
function useVolume(source: DataSource, expr: string, r: Range, run: number, lines: LogLine[], limited: boolean): { volume: Volume; partial: boolean } {
  const step = Math.max(1000, roundInterval((r.to - r.from) / 80));
  const own = useMemo(() => countLines(lines, r.from, r.to, step), [lines, r.from, r.to, step]);
  const [asked, setAsked] = useState<{ run: number; volume: Volume } | null>(null);
  useEffect(() => {
    if (!limited) return; /* every line is here: no need to ask */
    const stop = new AbortController();
    const first = Math.ceil(r.from / step) * step;
    lokiOf(source)
      .range({ query: `sum by (level, detected_level) (count_over_time(${expr} [${step}ms]))`, start: first, end: r.to + step, step }, stop.signal)
      .then((res) => {
        const n = Math.floor((r.to + step - first) / step) + 1;
        const times = Array.from({ length: n }, (_, i) => first + (i - 1) * step);
        const counts: Volume["counts"] = {};
        for (const s of res.series) {
          const level = levelOfWord(s.labels.detected_level) ?? levelOfWord(s.labels.level) ?? "unknown";
          const row = (counts[level] ??= new Array<number>(n).fill(0));
          s.times.forEach((t, i) => {
            const at = Math.round((t - first) / step);
            if (at >= 0 && at < n) row[at]! += s.values[i]!;
          });
        }
        setAsked({ run, volume: { times, counts } });
      })
      .catch(() => setAsked(null));
    return () => stop.abort();
    // asked again at every run only
    // eslint-disable-next-line
  }, [run, limited]);
  const good = limited && asked?.run === run;
  return { volume: good ? asked.volume : own, partial: limited && !good };
}

function Histogram({ volume, range, partial, onZoom }: { volume: Volume; range: Range; partial: boolean; onZoom: (from: number, to: number) => void }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const theme = useTheme();
  const shown = levels.filter((l) => volume.counts[l]?.some((n) => n > 0));
  const series = useMemo(
    (): ChartSeries[] =>
      [...shown].reverse().map((l) => ({ label: l, values: volume.counts[l]!.map((n) => n || null), color: token(levelColor(l)), axis: "y", draw: "bars", stack: "levels", barAlign: 1, barWidth: 0.9, fill: 0.85, width: 1 })),
    // eslint-disable-next-line
    [volume, theme, shown.join()],
  );
  const total = (l: Level) => volume.counts[l]!.reduce((a, b) => a + b, 0);
  const count = new Intl.NumberFormat("en");
  return (
    <section className="card line-volume" aria-label="Lines over time">
      <div className="legend-row">
        <span className="muted">{partial ? "Of the lines shown" : "Lines"}</span>
        {shown.map((l) => (
          <span key={l} className="legend-item">
            <i style={{ background: `var(${levelColor(l)})` }} />
            {l} <b>{count.format(total(l))}</b>
          </span>
        ))}
      </div>
      <div ref={ref} style={{ height: 110 }}>
        {width > 0 && (
          <TimeChart
            width={width}
            height={110}
            from={range.from}
            to={range.to}
            times={volume.times}
            series={series}
            axes={[{ id: "y", format: (v) => count.format(v), min: 0, decimals: 0 }]}
            tooltip="multi"
            summary={`Log lines by level: ${shown.map((l) => `${l} ${total(l)}`).join(", ") || "none"}`}
            onZoom={onZoom}
          />
        )}
      </div>
    </section>
  );
}

const toggles: [keyof LogLook, string][] = [
  ["time", "Time"],
  ["labels", "Labels"],
  ["wrap", "Wrap lines"],
  ["pretty", "Prettify JSON"],
];
const firstLook: LogLook = { time: true, labels: false, wrap: true, pretty: false };

export interface LogsProps {
  source: DataSource;
  expr: string;
  lines: LogLine[];
  limit: number;
  range: Range;
  run: number;
  filter: LogFilter;
  onZoom: (from: number, to: number) => void;
  onOlder?: () => void;
  live?: boolean;
}

export function LogsResult({ source, expr, lines, limit, range, run, filter, onZoom, onOlder, live }: LogsProps) {
  const [look, setLook] = useState<LogLook>(() => ({ ...firstLook, ...(JSON.parse(recall("explore.logs") ?? "{}") as Partial<LogLook>) }));
  const [newest, setNewest] = useState(true);
  const [same, setSame] = useState<Dedup>("none");
  const limited = !live && lines.length >= limit;
  const { volume, partial } = useVolume(source, expr, range, run, lines, limited);
  const sorted = useMemo(() => [...lines].sort((a, b) => (newest ? compareNs(b.ns, a.ns) : compareNs(a.ns, b.ns))), [lines, newest]);
  const rows = useMemo(() => dedup(sorted, same), [sorted, same]);
  const common = useMemo(() => commonLabels(lines), [lines]);
  const loki = useMemo(() => lokiOf(source), [source]);
  const words = useMemo(() => searchWords(expr), [expr]);
  const toggle = (k: keyof LogLook) => {
    const next = { ...look, [k]: !look[k] };
    remember("explore.logs", JSON.stringify(next));
    setLook(next);
  };
  const bytes = useMemo(() => lines.reduce((n, l) => n + l.line.length, 0), [lines]);
  return (
    <>
      <Histogram volume={volume} range={range} partial={partial} onZoom={onZoom} />
      <section className="card" aria-label="Log lines">
        <div className="line-bar">
          {toggles.map(([k, text]) => (
            <button key={k} className="btn compact" aria-pressed={look[k]} onClick={() => toggle(k)}>
              {text}
            </button>
          ))}
          <label className="inline">
            <span>Same lines</span>
            <select className="input compact" value={same} onChange={(e) => setSame(e.target.value as Dedup)}>
              <option value="none">shown</option>
              <option value="exact">once, exact</option>
              <option value="numbers">once, but for numbers</option>
              <option value="signature">once, by punctuation</option>
            </select>
          </label>
          <button className="btn compact" onClick={() => setNewest(!newest)}>
            {newest ? "Newest first" : "Oldest first"}
          </button>
          <span className="grow" />
          <Download lines={sorted} />
        </div>
        <p className="line-facts" role="status">
          {lines.length.toLocaleString("en")} lines{limited && `, the limit: there may be more`} · {(bytes / 1024).toFixed(1)} KiB
          {Object.entries(common).length > 0 && (
            <>
              {" · common: "}
              {Object.entries(common).map(([k, v]) => (
                <code key={k} className="chip">{`${k}=${v}`}</code>
              ))}
            </>
          )}
        </p>
        {rows.length ? (
          <LogList rows={rows} look={look} words={words} filter={filter} label="Log lines" common={common} loki={loki} />
        ) : (
          <Empty title="No lines in this range">{live ? "Waiting for new lines." : "Widen the time range, or ask with fewer filters."}</Empty>
        )}
        {limited && onOlder && (
          <div className="line-more">
            <button className="btn" onClick={onOlder}>
              Older lines
            </button>
          </div>
        )}
      </section>
    </>
  );
}

function Download({ lines }: { lines: LogLine[] }) {
  const save = (name: string, type: string, text: string) => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([text], { type }));
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };
  return (
    <>
      <button className="btn quiet compact" disabled={!lines.length} onClick={() => save("lines.txt", "text/plain", lines.map((l) => l.line).join("\n") + "\n")}>
        Save .txt
      </button>
      <button
        className="btn quiet compact"
        disabled={!lines.length}
        onClick={() => save("lines.json", "application/json", JSON.stringify(lines.map((l) => ({ timestamp: l.ns, line: l.line, labels: { ...l.labels, ...l.metadata, ...l.parsed } })), null, 1))}
      >
        Save .json
      </button>
    </>
  );
}
