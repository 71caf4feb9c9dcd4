/* A metric answer: graph with a legend that hides series, and a table of the last values. */
import { useMemo, useState, type MouseEvent } from "react";
import { labelsText, type PromSeries } from "../api/prom";
import { breakGaps, joinSeries } from "../charts/join";
import { TimeChart, type ChartSeries } from "../charts/TimeChart";
import { Empty } from "../components/States";
import { useTheme } from "../lib/theme";
import { seriesColors } from "../semantics/color";
import { plain, unitFormat } from "../semantics/units";
import { seriesName, type QueryOutcome, type Range } from "./run";
import { useWidth } from "./useSize";

const seriesMax = 100;
const rowsMax = 500;
const short = unitFormat("short");
const format = (v: number, d?: number) => plain(short(v, d));

export interface Named { name: string; series: PromSeries; step: number }

export function namedSeries(outs: QueryOutcome[]): Named[] {
  return outs.flatMap((o) => o.graph.map((series) => ({ name: seriesName(series, o.query), series, step: o.step })));
}

export type Draw = "lines" | "bars" | "points" | "stacked";

interface GraphProps { list: Named[]; range: Range; height: number; onZoom?: (from: number, to: number) => void; label: string; draw?: Draw; onDraw?: (d: Draw) => void }
export function Graph({ list, range, height, onZoom, label, draw: first = "lines", onDraw }: GraphProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [draw, setDraw] = useState<Draw>(first);
  const pickDraw = (d: Draw) => {
    setDraw(d);
    onDraw?.(d);
  };
  const [all, setAll] = useState(false);
  const [only, setOnly] = useState<Set<string> | null>(null);
  const theme = useTheme();
  const shown = all ? list : list.slice(0, seriesMax);
  const colors = useMemo(() => seriesColors(shown.map((s) => s.name), theme), [shown, theme]);
  const joined = useMemo(() => joinSeries(shown.map((s) => breakGaps(s.series.times, finite(s.series.values), s.step))), [shown]);
  const series = useMemo(
    (): ChartSeries[] =>
      shown.map((s, i) => ({
        label: s.name,
        values: joined.columns[i]!,
        color: colors[i]!,
        axis: "y",
        draw: draw === "bars" ? "bars" : draw === "points" ? "points" : "line",
        width: 1.5,
        fill: draw === "stacked" ? 0.35 : draw === "bars" ? 0.8 : 0.06,
        points: draw === "points" ? "always" : "auto",
        ...(draw === "stacked" && { stack: "all" }),
        hidden: only !== null && !only.has(s.name),
      })),
    [shown, joined, colors, draw, only],
  );
  const pick = (name: string, e: MouseEvent) => {
    if (e.ctrlKey || e.metaKey || e.shiftKey) {
      const next = new Set(only ?? shown.map((s) => s.name));
      if (!next.delete(name)) next.add(name);
      setOnly(next.size === shown.length ? null : next);
    } else setOnly(only?.size === 1 && only.has(name) ? null : new Set([name]));
  };
  return (
    <section className="card graph" aria-label={label}>
      <div className="graph-bar">
        <strong>Graph</strong>
        <span className="grow" />
        <span className="group" role="group" aria-label="Draw as">
          {(["lines", "bars", "points", "stacked"] as Draw[]).map((d) => (
            <button key={d} className="btn compact" aria-pressed={draw === d} onClick={() => pickDraw(d)}>
              {d}
            </button>
          ))}
        </span>
      </div>
      <div ref={ref} style={{ height }}>
        {width > 0 && (
          <TimeChart width={width} height={height} from={range.from} to={range.to} times={joined.times} series={series} axes={[{ id: "y", format }]} tooltip="multi" tooltipSort="desc" summary={`${label}: ${list.length} series`} onZoom={onZoom} />
        )}
      </div>
      {list.length > shown.length && (
        <p className="notice">
          {list.length} series, the first {shown.length} are drawn.{" "}
          <button className="btn compact" onClick={() => setAll(true)}>
            Draw all
          </button>
        </p>
      )}
      <ul className="series-list" aria-label="Series">
        {shown.map((s, i) => (
          <li key={i}>
            <button type="button" aria-pressed={!only || only.has(s.name)} onClick={(e) => pick(s.name, e)} title="Click: only this series. Ctrl+click: hide or show it">
              <i style={{ background: colors[i] }} />
              <span>{s.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const finite = (values: number[]): (number | null)[] => values.map((v) => (Number.isFinite(v) ? v : null));

export const valueText = (v: number): string => (Number.isNaN(v) ? "NaN" : v === Infinity ? "+Inf" : v === -Infinity ? "-Inf" : String(v));

export function Table({ series, label, raw: rawFirst = false }: { series: PromSeries[]; label: string; raw?: boolean }) {
  const [sort, setSort] = useState<{ by: string; down: boolean } | null>(null);
  const [raw, setRaw] = useState(rawFirst);
  const names = useMemo(() => [...new Set(series.flatMap((s) => Object.keys(s.labels)))].sort((a, b) => (a === "__name__" ? -1 : b === "__name__" ? 1 : a < b ? -1 : 1)), [series]);
  const rows = useMemo(() => {
    const list = [...series];
    if (sort) {
      const at = (s: PromSeries) => (sort.by === "Value" ? (s.values[0] ?? NaN) : (s.labels[sort.by] ?? ""));
      list.sort((a, b) => {
        const [x, y] = [at(a), at(b)];
        const c = x < y ? -1 : x > y ? 1 : 0;
        return sort.down ? -c : c;
      });
    }
    return list.slice(0, rowsMax);
  }, [series, sort]);
  const click = (by: string) => setSort(sort?.by === by ? (sort.down ? null : { by, down: true }) : { by, down: false });
  const head = (by: string, num = false) => (
    <th key={by} scope="col" className={num ? "num" : undefined} aria-sort={sort?.by === by ? (sort.down ? "descending" : "ascending") : undefined}>
      <button type="button" className="sort" onClick={() => click(by)}>
        {by} {sort?.by === by ? (sort.down ? "↓" : "↑") : ""}
      </button>
    </th>
  );
  return (
    <section className="card" aria-label={label}>
      <div className="graph-bar">
        <strong>Table</strong>
        <span className="muted">
          {series.length.toLocaleString("en")} series{series.length > rows.length && `, the first ${rows.length} are shown`}
        </span>
        <span className="grow" />
        <button className="btn compact" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          Raw
        </button>
      </div>
      {!series.length ? (
        <Empty title="No series">The query is fine, but nothing matches it at this time.</Empty>
      ) : (
        <div className="scroll-table" tabIndex={0} role="region" aria-label={label + " values"}>
          <table className="plain">
            <thead>
              <tr>
                {raw ? head("Series") : names.map((n) => head(n))}
                {head("Value", true)}
              </tr>
            </thead>
            <tbody>
              {rows.map((s, i) => (
                <tr key={i}>
                  {raw ? <td className="mono">{labelsText(s.labels)}</td> : names.map((n) => <td key={n}>{s.labels[n] ?? ""}</td>)}
                  <td className="num mono">{s.histograms?.[0] ? `count ${s.histograms[0].value.count}, sum ${s.histograms[0].value.sum}` : s.values.length ? valueText(s.values[0]!) : ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
