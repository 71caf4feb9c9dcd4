/* uPlot behind one component: lines, bars and points over time. The chart object lives as long as the shape of the
 * chart (series, axes, looks) stays the same; new data, size or range are given to it without rebuilding.
 *
 *   <TimeChart width={800} height={240} from={ms} to={ms} times={ms[]} series={[{label, values, color, axis: "y"}]}
 *              axes={[{id: "y", format: (v, decimals) => text}]} onZoom={(from, to) => ...} />
 *
 * times are ascending epoch milliseconds shared by all series; join.ts brings series with clocks of their own onto one
 * list. Callbacks and formats may be new functions at every render. Nothing here knows about dashboards or queries. */
import uPlot from "uplot";
import "./uplot.css";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Zone } from "../lib/zone";
import { useTheme } from "../lib/theme";
import { Tooltip, type TipAt, type TooltipMode, type TooltipSort } from "./Tooltip";
import { buildOptions, chartData } from "./options";
import type { Value } from "./join";

export interface ChartSeries {
  label: string;
  values: Value[];
  color: string;
  /* id of an axis */
  axis: string;
  /* for tooltips; the axis' format without it */
  format?: (v: number) => string;
  draw?: "line" | "bars" | "points";
  curve?: "linear" | "smooth" | "stepBefore" | "stepAfter";
  width?: number;
  dash?: number[];
  /* opacity of the area below, 0 to 1; fade makes it fainter towards the zero line */
  fill?: number;
  fade?: boolean;
  points?: "auto" | "always" | "never";
  pointSize?: number;
  barWidth?: number;
  barAlign?: -1 | 0 | 1;
  /* true bridges every gap, a number those shorter than so many milliseconds */
  spanGaps?: boolean | number;
  /* series of one group are stacked; percent scales each instant to 100 % */
  stack?: string;
  percent?: boolean;
  /* index of the series down to which the area is filled */
  fillTo?: number;
  hidden?: boolean;
  /* not in tooltips */
  noTip?: boolean;
}

export interface ChartAxis {
  id: string;
  format: (v: number, decimals?: number) => string;
  side?: "left" | "right";
  label?: string;
  show?: boolean;
  grid?: boolean;
  decimals?: number;
  min?: number;
  max?: number;
  softMin?: number;
  softMax?: number;
  /* the scale grows with the base; symlog is linear within `linear` around zero */
  log?: 2 | 10;
  symlog?: number;
  centerZero?: boolean;
  /* ticks at powers of two, for bytes */
  binary?: boolean;
  /* fixed width in pixels; measured without it */
  size?: number;
}

export interface ChartMark { axis: string; value: number; color: string; dash?: boolean; /* area up to this value */ to?: number }

export interface TimeChartProps {
  width: number;
  height: number;
  from: number;
  to: number;
  times: number[];
  series: ChartSeries[];
  axes: ChartAxis[];
  zone?: Zone;
  marks?: ChartMark[];
  /* charts with one key share the crosshair; tips: and the tooltip */
  sync?: { key: string; tips?: boolean };
  tooltip?: TooltipMode;
  tooltipSort?: TooltipSort;
  hideZeros?: boolean;
  /* what a screen reader says */
  summary?: string;
  hideTimeAxis?: boolean;
  onZoom?: (from: number, to: number) => void;
  onDoubleClick?: () => void;
  onDrawn?: () => void;
}

export function TimeChart(props: TimeChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [tip, setTip] = useState<TipAt | null>(null);
  const theme = useTheme();
  const { width, height, times, series, axes, marks } = props;

  const data = useMemo(() => chartData(times, series), [times, series]);
  const dataNow = useRef(data);
  dataNow.current = data;
  const shape = useMemo(
    () =>
      JSON.stringify([
        theme,
        props.zone,
        props.sync?.key,
        props.hideTimeAxis,
        marks,
        axes.map(({ format: _f, ...rest }) => rest),
        series.map(({ values: _v, format: _f, ...rest }) => rest),
        data.below,
      ]),
    [theme, props.zone, props.sync?.key, props.hideTimeAxis, marks, axes, series, data.below],
  );
  const drawnShape = useRef("");

  useLayoutEffect(() => {
    if (!host.current || latest.current.width < 20 || latest.current.height < 20) return;
    const u = new uPlot(buildOptions(latest, setTip), dataNow.current.columns as uPlot.AlignedData, host.current);
    plot.current = u;
    drawnShape.current = shape;
    return () => {
      plot.current = null;
      u.destroy();
    };
  }, [shape, width < 20 || height < 20]);

  useLayoutEffect(() => {
    const u = plot.current;
    if (u && (u.width !== width || u.height !== height) && width >= 20 && height >= 20) u.setSize({ width, height });
  }, [width, height]);

  const first = useRef(true);
  useEffect(() => {
    /* A chart just built has the data already. */
    if (first.current) {
      first.current = false;
      return;
    }
    plot.current?.setData(data.columns as uPlot.AlignedData, true);
  }, [data, props.from, props.to]);

  return (
    <div
      className="chart"
      ref={host}
      role="img"
      aria-label={props.summary ?? `Chart of ${series.map((s) => s.label).join(", ")}`}
      tabIndex={0}
      onKeyDown={(e) => {
        const u = plot.current;
        if (!u) return;
        if (e.key === "Escape") u.setCursor({ left: -10, top: -10 });
        if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
        e.preventDefault();
        const n = u.data[0].length;
        const now = u.cursor.idx ?? (e.key === "ArrowLeft" ? n : -1);
        const next = Math.min(Math.max(now + (e.key === "ArrowLeft" ? -1 : 1), 0), n - 1);
        if (n) u.setCursor({ left: u.valToPos(u.data[0][next]!, "x"), top: u.over.clientHeight / 2 });
      }}
      onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
    >
      {tip && <Tooltip at={tip} chart={props} />}
    </div>
  );
}
