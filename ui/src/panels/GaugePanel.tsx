/* A value on an arc from min to max, with the thresholds along it. */
import { useMemo } from "react";
import { Empty } from "../components/States";
import { isContinuous, namedColor, textColor } from "../semantics/color";
import type { Field } from "../semantics/frame";
import { stepValue } from "../semantics/mappings";
import { plain } from "../semantics/units";
import { noValue } from "./StatPanel";
import { opt, type PanelProps } from "./types";
import { fontFor, longestText, panelValues, tiles, type ShownValue } from "./values";

/* The arc leaves a fifth open at the bottom. */
const sweep = 1.3 * Math.PI;
const startAngle = Math.PI / 2 + (2 * Math.PI - sweep) / 2;
const point = (cx: number, cy: number, r: number, share: number) => {
  const a = startAngle + sweep * share;
  return `${(cx + r * Math.cos(a)).toFixed(2)} ${(cy + r * Math.sin(a)).toFixed(2)}`;
};
const arc = (cx: number, cy: number, r: number, from: number, to: number) => `M${point(cx, cy, r, from)}A${r} ${r} 0 ${(to - from) * sweep > Math.PI ? 1 : 0} 1 ${point(cx, cy, r, to)}`;
const within = (x: number) => Math.min(Math.max(Number.isFinite(x) ? x : 0, 0), 1);

/* Bounds: those configured, else what percent units imply, else those of the data. */
export function gaugeRange(f: Field): { min: number; max: number } {
  const { min, max, unit } = f.config;
  const top = unit === "percent" ? 100 : unit === "percentunit" ? 1 : null;
  return { min: min ?? (top !== null ? 0 : Math.min(0, f.state!.range.min)), max: max ?? top ?? f.state!.range.max };
}

/* What assistive technology is told: a meter, or a picture that says there is no value. */
export function meter(v: ShownValue, min: number, max: number) {
  const text = plain(v.shown);
  return Number.isFinite(v.shown.numeric) && Number.isFinite(min) && Number.isFinite(max)
    ? { role: "meter", "aria-label": v.title, "aria-valuemin": min, "aria-valuemax": max, "aria-valuenow": v.shown.numeric, "aria-valuetext": text }
    : { role: "img", "aria-label": `${v.title}: ${text || "no value"}` };
}

function Gauge({ v, p, w, h, several, longest }: { v: ShownValue; p: PanelProps; w: number; h: number; several: boolean; longest: number }) {
  const { min, max } = gaugeRange(v.field);
  const nameHeight = several && h > 70 ? 20 : 0;
  const room = h - nameHeight;
  const thick = Math.max(6, Math.min(w, room) * 0.085);
  const r = Math.max(10, Math.min(w / 2 - thick, (room - thick) / (1 + Math.cos((2 * Math.PI - sweep) / 2)) - thick / 2));
  const cx = w / 2;
  const cy = thick * 0.75 + r + Math.max(0, (room - thick * 1.5 - r * (1 + Math.cos((2 * Math.PI - sweep) / 2))) / 2);
  const at = within((v.shown.numeric - min) / (max - min));
  const text = plain(v.shown);
  const steps = v.field.config.thresholds?.steps ?? [];
  const share = (s: number) => within(v.field.config.thresholds?.mode === "percentage" ? s / 100 : (s - min) / (max - min));
  const size = opt<number>(p.panel, "text.valueSize", 0) || fontFor(longest, r * 1.35, r * 0.5, 44);
  const markers = opt(p.panel, "showThresholdMarkers", true) && steps.length > 1 && !isContinuous(v.field.config.color);
  return (
    <figure className="gauge" style={{ width: w, height: h }} {...meter(v, min, max)}>
      <svg width={w} height={room} aria-hidden="true">
        <path d={arc(cx, cy, r, 0, 1)} stroke="var(--gauge-track)" strokeWidth={thick} fill="none" />
        {at > 0 && <path d={arc(cx, cy, r, 0, at)} stroke={v.shown.color} strokeWidth={thick} fill="none" />}
        {markers &&
          steps.map((s, i) => {
            const a = share(stepValue(s));
            const b = i + 1 < steps.length ? share(stepValue(steps[i + 1]!)) : 1;
            return b > a ? <path key={i} d={arc(cx, cy, r + thick * 0.72, a, b)} stroke={namedColor(s.color, p.theme)} strokeWidth={Math.max(2, thick * 0.2)} fill="none" /> : null;
          })}
        <text x={cx} y={cy + size * 0.2} textAnchor="middle" fontSize={size} fontWeight={600} fill={textColor(v.shown.color, p.theme)}>
          {text}
        </text>
        {opt(p.panel, "showThresholdLabels", false) &&
          steps.slice(1).map((s, i) => {
            const [x, y] = point(cx, cy, r + thick * 1.6, share(stepValue(s))).split(" ");
            return (
              <text key={i} x={x} y={y} fontSize={10} fill="var(--muted)" textAnchor="middle">
                {plain(v.field.state!.display(stepValue(s)))}
              </text>
            );
          })}
      </svg>
      {nameHeight > 0 && <figcaption title={v.title}>{v.title}</figcaption>}
    </figure>
  );
}

export default function GaugePanel(p: PanelProps) {
  const values = useMemo(() => panelValues(p.panel, p.frames), [p.panel, p.frames]);
  if (!values.length) return <Empty title={noValue(p)} />;
  const { cols, rows } = tiles(values.length, p.width, p.height, opt<string>(p.panel, "orientation", "auto"), 1.15);
  const w = Math.floor(p.width / cols);
  const h = Math.max(56, Math.floor(p.height / rows));
  return (
    <div className="tiles" style={{ gridTemplateColumns: `repeat(${cols}, ${w}px)`, gap: 0 }}>
      {values.map((v, i) => (
        <Gauge key={i} v={v} p={p} w={w} h={h} several={values.length > 1} longest={longestText(values)} />
      ))}
    </div>
  );
}
