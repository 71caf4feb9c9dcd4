/* What the chart says at the cursor: one series or all, in the order asked for. */
import { formatTime } from "../lib/time";
import { Floating, TipRow } from "./Floating";
import type { TimeChartProps } from "./TimeChart";

export type TooltipMode = "single" | "multi" | "none";
export type TooltipSort = "none" | "asc" | "desc";
export interface TipAt { x: number; y: number; time: number; idxs: (number | null)[]; near: number }

const rowsMax = 18;

export function Tooltip({ at, chart }: { at: TipAt; chart: TimeChartProps }) {
  const rows = chart.series.flatMap((s, i) => {
    const k = at.idxs[i];
    const v = k === null || k === undefined ? null : s.values[k];
    if (s.hidden || s.noTip || v === null || v === undefined || (chart.hideZeros && v === 0)) return [];
    /* a chart that only follows another's cursor has no nearest series */
    if (chart.tooltip !== "multi" && at.near >= 0 && i !== at.near) return [];
    const axis = chart.axes.find((a) => a.id === s.axis);
    return [{ i, label: s.label, color: s.color, v, text: s.format ? s.format(v) : axis ? axis.format(v) : String(v) }];
  });
  if (chart.tooltipSort === "asc") rows.sort((a, b) => a.v - b.v);
  if (chart.tooltipSort === "desc") rows.sort((a, b) => b.v - a.v);
  /* Too many rows: those around the nearest stay. */
  const nearRow = Math.max(0, rows.findIndex((r) => r.i === at.near));
  const start = rows.length > rowsMax ? Math.min(Math.max(0, nearRow - rowsMax / 2), rows.length - rowsMax) : 0;
  const shown = rows.slice(start, start + rowsMax);
  if (!shown.length) return null;

  return (
    <Floating at={at}>
      <time>{formatTime(at.time, chart.zone, chart.to - chart.from < 10_000)}</time>
      {shown.map((r) => (
        <TipRow key={r.i} color={r.color} name={r.label} value={r.text} near={r.i === at.near && rows.length > 1} />
      ))}
      {rows.length > shown.length && <div className="more">and {rows.length - shown.length} more</div>}
    </Floating>
  );
}
