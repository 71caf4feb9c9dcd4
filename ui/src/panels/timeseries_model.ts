/* Frames of a time series panel as what the chart draws. */
import { breakGaps, joinSeries, type Value } from "../charts/join";
import type { ChartAxis, ChartMark, ChartSeries } from "../charts/TimeChart";
import type { Theme } from "../lib/theme";
import { namedColor } from "../semantics/color";
import { numberFields, timeField, type Field, type Frame } from "../semantics/frame";
import { stepValue } from "../semantics/mappings";
import { isBinaryUnit, plain } from "../semantics/units";
import { dig } from "./types";

export interface SeriesInfo { field: Field; label: string; color: string; inLegend: boolean }
export interface ChartModel { times: number[]; series: ChartSeries[]; info: SeriesInfo[]; axes: ChartAxis[]; marks: ChartMark[] }

const custom = <T>(f: Field, path: string, fallback: T): T => dig(f.config.custom, path, fallback);

/* Fields with one unit and one idea of a scale share an axis. */
function axisKey(f: Field): string {
  const c = f.config;
  return JSON.stringify([c.unit ?? "", c.min, c.max, ...["axisPlacement", "axisLabel", "axisSoftMin", "axisSoftMax", "scaleDistribution", "axisCenteredZero"].map((k) => custom<unknown>(f, k, null))]);
}

function axisOf(id: string, f: Field, side: "left" | "right", grid: boolean): ChartAxis {
  const c = f.config;
  const type = custom<string>(f, "scaleDistribution.type", "linear");
  const log = custom<number>(f, "scaleDistribution.log", 2) === 10 ? 10 : 2;
  const percent = custom<string>(f, "stacking.mode", "none") === "percent";
  const display = f.state!.display;
  return {
    id,
    side,
    grid,
    show: custom<string>(f, "axisPlacement", "auto") !== "hidden",
    label: custom<string>(f, "axisLabel", "") || undefined,
    format: percent ? (v, d) => `${(v * 100).toFixed(d ?? 0)}%` : (v, d) => plain(display(v, d)),
    decimals: c.decimals ?? undefined,
    min: percent ? 0 : (c.min ?? undefined),
    max: percent ? 1 : (c.max ?? undefined),
    softMin: custom<number | undefined>(f, "axisSoftMin", undefined),
    softMax: custom<number | undefined>(f, "axisSoftMax", undefined),
    log: type === "log" ? log : undefined,
    symlog: type === "symlog" ? custom(f, "scaleDistribution.linearThreshold", 1) : undefined,
    centerZero: custom(f, "axisCenteredZero", false),
    binary: isBinaryUnit(c.unit),
    size: custom<number | undefined>(f, "axisWidth", undefined),
  };
}

function dashOf(f: Field): number[] | undefined {
  const style = custom<{ fill?: string; dash?: number[] } | null>(f, "lineStyle", null);
  if (style?.fill === "dash") return style.dash ?? [10, 10];
  if (style?.fill === "dot") return style.dash ?? [0, 10];
  return undefined;
}

function marksOf(f: Field, axis: string, theme: Theme): ChartMark[] {
  const mode = custom<string>(f, "thresholdsStyle.mode", "off");
  const t = f.config.thresholds;
  if (mode === "off" || !t) return [];
  const { min, max } = f.state!.range;
  const at = (v: number) => (t.mode === "percentage" && Number.isFinite(v) ? min + ((max - min) * v) / 100 : v);
  const out: ChartMark[] = [];
  t.steps.forEach((s, i) => {
    const value = at(stepValue(s));
    const color = namedColor(s.color, theme);
    if (mode.includes("area")) out.push({ axis, value, color, to: i + 1 < t.steps.length ? at(stepValue(t.steps[i + 1]!)) : Infinity });
    if ((mode.includes("line") || mode.includes("dashed")) && Number.isFinite(value)) out.push({ axis, value, color, dash: mode.includes("dashed") });
  });
  return out;
}

/* JSON has no infinities: marks are compared as text. */
const bounded = (m: ChartMark): ChartMark => ({ ...m, value: Math.max(m.value, -1e300), ...(m.to !== undefined && { to: Math.min(m.to, 1e300) }) });

export function chartModel(frames: Frame[], hidden: Set<string>, theme: Theme): ChartModel {
  const picked: { field: Field; frame: Frame }[] = [];
  for (const frame of frames) if (timeField(frame)) for (const field of numberFields(frame)) picked.push({ field, frame });

  const axes: ChartAxis[] = [];
  const axisIds = new Map<string, string>();
  const marks: ChartMark[] = [];
  const points = picked.map(({ field, frame }) => {
    const times = timeField(frame)!;
    const insert = custom<boolean | number>(field, "insertNulls", true);
    const step = typeof insert === "number" ? insert : (times.config.interval ?? field.config.interval ?? 0);
    const values = field.values as Value[];
    return insert && step ? breakGaps(times.values as number[], values, step) : { times: times.values as number[], values };
  });
  const joined = joinSeries(points);

  const info: SeriesInfo[] = [];
  const names = picked.map((p) => p.field.state!.displayName);
  const series = picked.map(({ field }, i): ChartSeries => {
    const label = names[i]!;
    const isHidden = hidden.has(label) || custom(field, "hideFrom.viz", false);
    const key = axisKey(field);
    let axis = axisIds.get(key);
    if (!axis) {
      axis = `y${axisIds.size}`;
      axisIds.set(key, axis);
      const placement = custom<string>(field, "axisPlacement", "auto");
      const left = placement === "left" || (placement !== "right" && !axes.some((a) => a.side === "left" && a.show));
      const gridShow = custom<boolean | null>(field, "axisGridShow", null);
      axes.push(axisOf(axis, field, left ? "left" : "right", gridShow ?? axes.every((a) => !a.grid)));
      if (!isHidden) marks.push(...marksOf(field, axis, theme).map(bounded));
    }
    info.push({ field, label, color: field.state!.color, inLegend: !custom(field, "hideFrom.legend", false) });
    const negative = custom<string>(field, "transform", "") === "negative-Y";
    const display = field.state!.display;
    const draw = custom<ChartSeries["draw"]>(field, "drawStyle", "line");
    const stacking = custom<string>(field, "stacking.mode", "none");
    const below = custom<string>(field, "fillBelowTo", "");
    const span = custom<boolean | number>(field, "spanNulls", false);
    return {
      label,
      values: negative ? joined.columns[i]!.map((v) => (typeof v === "number" ? -v : v)) : joined.columns[i]!,
      color: field.state!.color,
      axis,
      format: negative ? (v) => plain(display(-v)) : (v) => plain(display(v)),
      draw,
      curve: custom<ChartSeries["curve"]>(field, "lineInterpolation", "linear"),
      width: custom(field, "lineWidth", 1),
      dash: dashOf(field),
      fill: draw === "bars" ? Math.max(custom(field, "fillOpacity", 0), 1) / 100 : below ? custom(field, "fillOpacity", 35) / 100 : custom(field, "fillOpacity", 0) / 100,
      fade: custom<string>(field, "gradientMode", "none") !== "none" && draw !== "bars",
      points: custom<ChartSeries["points"]>(field, "showPoints", "auto"),
      pointSize: custom(field, "pointSize", 5),
      barWidth: custom(field, "barWidthFactor", 0.6),
      barAlign: custom<-1 | 0 | 1>(field, "barAlignment", 0),
      spanGaps: span === false ? undefined : span,
      stack: stacking !== "none" ? String(custom<string>(field, "stacking.group", "A")) : undefined,
      percent: stacking === "percent",
      fillTo: below ? names.indexOf(below) : undefined,
      hidden: isHidden,
      noTip: custom(field, "hideFrom.tooltip", false),
    };
  });
  return { times: joined.times, series, info, axes, marks };
}
