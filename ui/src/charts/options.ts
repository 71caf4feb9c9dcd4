/* A chart's props as uPlot's options. */
import uPlot from "uplot";
import type { Dispatch, RefObject, SetStateAction } from "react";
import { token } from "../lib/theme";
import { bridgeGaps, type Value } from "./join";
import { stackSeries } from "./stack";
import { binarySteps, numberTicks, timeTicks } from "./ticks";
import type { ChartAxis, ChartSeries, TimeChartProps } from "./TimeChart";
import type { TipAt } from "./Tooltip";

export interface ChartData { columns: (number[] | Value[])[]; below: number[] }

/* Columns for uPlot: stacked, gaps bridged where wanted. */
export function chartData(times: number[], series: ChartSeries[]): ChartData {
  const bridged = series.map((s) => {
    const clean = s.values.map((v) => (typeof v === "number" && !Number.isFinite(v) ? null : v));
    return s.spanGaps ? bridgeGaps(times, clean, s.spanGaps === true ? Infinity : s.spanGaps) : clean;
  });
  const stacked = stackSeries(series.map((s, i) => ({ values: bridged[i]!, group: s.stack && `${s.axis}|${s.stack}`, percent: s.percent, hidden: s.hidden })));
  return { columns: [times, ...stacked.map((s) => s.values)], below: stacked.map((s) => s.below) };
}

export function withAlpha(color: string, alpha: number): string {
  const hex = /^#([0-9a-f]{6})$/i.exec(color) ?? /^#([0-9a-f]{3})$/i.exec(color);
  if (hex) {
    const full = hex[1]!.length === 3 ? [...hex[1]!].map((c) => c + c).join("") : hex[1]!;
    return `#${full}${Math.round(Math.min(Math.max(alpha, 0), 1) * 255).toString(16).padStart(2, "0")}`;
  }
  const rgb = /^rgba?\(([^)]+)\)$/.exec(color);
  if (!rgb) return color;
  const [r, g, b, a] = rgb[1]!.split(",").map((p) => parseFloat(p));
  return `rgba(${r}, ${g}, ${b}, ${(a ?? 1) * alpha})`;
}

const curves = {
  linear: uPlot.paths.linear!(),
  smooth: uPlot.paths.spline!(),
  stepBefore: uPlot.paths.stepped!({ align: -1 }),
  stepAfter: uPlot.paths.stepped!({ align: 1 }),
};

/* Points that have no neighbour to draw a line to. */
function lonely(u: uPlot, seriesIdx: number): number[] | null {
  const y = u.data[seriesIdx] as Value[];
  const [lo, hi] = u.series[seriesIdx]!.idxs ?? [0, y.length - 1];
  const out: number[] = [];
  const neighbour = (i: number, by: number) => {
    for (let k = i + by; k >= 0 && k < y.length; k += by) if (y[k] !== undefined) return y[k] !== null;
    return false;
  };
  for (let i = lo; i <= hi; i++) if (typeof y[i] === "number" && !neighbour(i, -1) && !neighbour(i, 1)) out.push(i);
  return out.length ? out : null;
}

function fillOf(s: ChartSeries): uPlot.Series.Fill | undefined {
  if (!s.fill) return undefined;
  if (!s.fade) return withAlpha(s.color, s.fill);
  return (u) => {
    const g = u.ctx.createLinearGradient(0, u.bbox.top, 0, u.bbox.top + u.bbox.height);
    g.addColorStop(0, withAlpha(s.color, s.fill!));
    g.addColorStop(1, withAlpha(s.color, 0));
    return g;
  };
}

function seriesOptions(s: ChartSeries): uPlot.Series {
  const bars = s.draw === "bars";
  const points = s.draw === "points" ? "always" : (s.points ?? "auto");
  return {
    label: s.label,
    scale: s.axis,
    show: !s.hidden,
    stroke: s.color,
    width: s.draw === "points" ? 0 : bars ? Math.min(s.width ?? 1, 1) : (s.width ?? 1),
    dash: s.dash,
    fill: bars ? withAlpha(s.color, s.fill ?? 0.8) : fillOf(s),
    paths: bars
      ? uPlot.paths.bars!({ size: [s.barWidth ?? 0.7, 200, 1], align: s.barAlign ?? 0 })
      : s.draw === "points"
        ? () => null
        : curves[s.curve ?? "linear"],
    points: bars
      ? { show: false }
      : {
          size: s.pointSize ?? 5,
          fill: s.color,
          stroke: s.color,
          ...(points === "always" ? { show: true } : points === "never" ? { show: false } : {}),
          filter: (u, i, show) => (show || points === "always" ? null : points === "never" ? [] : lonely(u, i)),
        },
  };
}

function yRange(axis: ChartAxis, hasBars: boolean): uPlot.Range.Function {
  return (_u, lo, hi) => {
    if (axis.log) {
      const [a, b] = uPlot.rangeLog(lo ?? 1, hi ?? 10, axis.log, true);
      return [axis.min ?? a, axis.max ?? b];
    }
    if (axis.symlog) {
      const [a, b] = uPlot.rangeAsinh(lo ?? -1, hi ?? 1, 10, true);
      return [axis.min ?? a, axis.max ?? b];
    }
    const softMin = axis.softMin ?? (hasBars ? 0 : undefined);
    const none = lo === null || lo === undefined;
    /* Nothing but zeros: from 0 to 1, not to 100. */
    if (lo === 0 && hi === 0) return [axis.min ?? axis.softMin ?? 0, axis.max ?? axis.softMax ?? 1];
    let [a, b] = uPlot.rangeNum(none ? (axis.min ?? 0) : lo, none ? (axis.max ?? 1) : hi, {
      min: { pad: 0.1, hard: axis.min ?? -Infinity, soft: softMin ?? 0, mode: softMin === undefined ? 3 : 1 },
      max: { pad: 0.1, hard: axis.max ?? Infinity, soft: axis.softMax ?? 0, mode: axis.softMax === undefined ? 3 : 1 },
    });
    if (axis.centerZero) {
      const most = Math.max(Math.abs(a!), Math.abs(b!));
      [a, b] = [-most, most];
    }
    return [axis.min ?? a, axis.max ?? (b === axis.min ? (b ?? 0) + 1 : b)] as uPlot.Range.MinMax;
  };
}

const isPower = (v: number, base: number): boolean => {
  const e = Math.log(v) / Math.log(base);
  return Math.abs(e - Math.round(e)) < 1e-6;
};

function axisWidth(texts: string[] | null, u: uPlot, font: string): number {
  if (!texts?.length) return 24;
  u.ctx.save();
  u.ctx.font = font.replace(/^(\d+)px/, (_, px: string) => `${+px * uPlot.pxRatio}px`);
  const most = Math.max(...texts.map((t) => u.ctx.measureText(t ?? "").width));
  u.ctx.restore();
  return Math.ceil(most / uPlot.pxRatio) + 12;
}

export function buildOptions(latest: RefObject<TimeChartProps>, setTip: Dispatch<SetStateAction<TipAt | null>>): uPlot.Options {
  const p = latest.current;
  const zone = p.zone ?? "browser";
  const font = `11px ${token("--font")}`;
  const axisColor = token("--axis");
  const grid = { stroke: token("--grid"), width: 1 };
  const ticks = { show: false };
  const below = chartData(p.times, p.series).below;
  const bars = p.series.some((s) => s.draw === "bars" && !s.hidden);

  const scales: uPlot.Scales = { x: { time: true, range: () => [latest.current.from, latest.current.to] } };
  for (const a of p.axes)
    scales[a.id] = {
      distr: a.log ? 3 : a.symlog ? 4 : 1,
      log: a.log ?? 10,
      asinh: a.symlog,
      range: yRange(a, bars),
    };

  const xAxis: uPlot.Axis = {
    show: !p.hideTimeAxis,
    font,
    stroke: axisColor,
    grid,
    ticks,
    gap: 8,
    size: 26,
    space: (_u, _i, min, max, dim) => (((max - min) / dim) * 120 < 60_000 ? 68 : 48),
    values: (_u, splits, _i, _space, incr) => timeTicks(splits, incr, zone),
  };
  const yAxes = p.axes.map((a, i): uPlot.Axis => {
    const texts = (splits: (number | null)[]) => {
      const now = latest.current.axes.find((x) => x.id === a.id) ?? a;
      return numberTicks(splits, now.format, now.decimals);
    };
    return {
      scale: a.id,
      show: a.show !== false,
      side: a.side === "right" ? 1 : 3,
      font,
      stroke: axisColor,
      grid: { ...grid, show: a.grid ?? i === 0, ...(a.log && { filter: (_u: uPlot, splits: number[]) => splits.map((v) => (isPower(v, a.log!) ? v : null)) }) },
      ...(a.log && { filter: (_u: uPlot, splits: number[]) => splits.map((v) => (isPower(v, a.log!) ? v : null)) }),
      ticks,
      gap: 6,
      space: 36,
      label: a.label || undefined,
      labelFont: font,
      labelSize: a.label ? 18 : 0,
      ...(a.binary && { incrs: binarySteps }),
      values: (_u, splits) => texts(splits),
      size: a.size ?? ((u, values) => axisWidth(values, u, font)),
    };
  });

  const bands: uPlot.Band[] = [];
  p.series.forEach((s, i) => {
    const to = below[i]! >= 0 ? below[i]! : s.fillTo;
    if (to !== undefined && to >= 0 && (s.fill || s.draw === "bars")) bands.push({ series: [i + 1, to + 1], fill: withAlpha(s.color, s.fill ?? 0.8) });
  });

  return {
    width: p.width,
    height: p.height,
    ms: 1,
    padding: [10, p.axes.some((a) => a.side === "right" && a.show !== false) ? null : 16, p.hideTimeAxis ? 6 : 0, p.axes.some((a) => a.side !== "right" && a.show !== false) ? null : 10] as uPlot.Padding,
    legend: { show: false },
    tzDate: /^(utc|etc\/utc)$/i.test(zone) ? (ts) => uPlot.tzDate(new Date(ts), "Etc/UTC") : zone === "browser" ? undefined : (ts) => uPlot.tzDate(new Date(ts), zone),
    scales,
    axes: [xAxis, ...yAxes],
    series: [{}, ...p.series.map(seriesOptions)],
    bands,
    cursor: {
      y: false,
      points: { size: 7, width: 0 },
      focus: { prox: 24 },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: {
        dblclick: () => () => {
          latest.current.onDoubleClick?.();
          return null;
        },
      },
      ...(p.sync && { sync: { key: p.sync.key, setSeries: false, scales: ["x", null] as [string, null] } }),
    },
    focus: { alpha: 1 },
    hooks: {
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const from = u.posToVal(u.select.left, "x");
          const to = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onZoom?.(Math.round(from), Math.round(to));
        },
      ],
      setCursor: [(u) => followCursor(u, latest, setTip)],
      drawAxes: [(u) => drawMarks(u, latest.current)],
      draw: [() => latest.current.onDrawn?.()],
    },
  };
}

function followCursor(u: uPlot, latest: RefObject<TimeChartProps>, setTip: Dispatch<SetStateAction<TipAt | null>>): void {
  const p = latest.current;
  const { left, top, idx } = u.cursor;
  /* a synced chart has no mouse event of its own */
  const own = u.cursor.event !== undefined && u.cursor.event !== null ? u.over.matches(":hover") || document.activeElement === u.root.parentElement : document.activeElement === u.root.parentElement;
  if (p.tooltip === "none" || left === undefined || left < 0 || idx === null || idx === undefined || (!own && !p.sync?.tips)) {
    setTip(null);
    return;
  }
  const box = u.over.getBoundingClientRect();
  let near = -1;
  let best = Infinity;
  for (let i = 1; i < u.series.length; i++) {
    const v = u.data[i]?.[u.cursor.idxs?.[i] ?? idx];
    if (!u.series[i]!.show || v === null || v === undefined) continue;
    const d = Math.abs(u.valToPos(v, u.series[i]!.scale!) - (top ?? 0));
    if (d < best) {
      best = d;
      near = i - 1;
    }
  }
  setTip({ x: box.left + left, y: box.top + (own ? (top ?? 0) : box.height / 3), time: u.data[0][idx]!, idxs: p.series.map((_, i) => u.cursor.idxs?.[i + 1] ?? null), near: own ? near : -1 });
}

function drawMarks(u: uPlot, p: TimeChartProps): void {
  const { ctx, bbox } = u;
  for (const m of p.marks ?? []) {
    const y = u.valToPos(m.value, m.axis, true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    if (m.to !== undefined) {
      const scale = u.scales[m.axis]!;
      const top = u.valToPos(Math.min(m.to, scale.max ?? m.to), m.axis, true);
      const bottom = u.valToPos(Math.max(m.value, scale.min ?? m.value), m.axis, true);
      ctx.fillStyle = withAlpha(m.color, 0.12);
      if (bottom > top) ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    } else if (Number.isFinite(y)) {
      ctx.strokeStyle = m.color;
      ctx.lineWidth = 1.5 * uPlot.pxRatio;
      if (m.dash) ctx.setLineDash([8 * uPlot.pxRatio, 6 * uPlot.pxRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }
}
