/* Big numbers, with a sparkline behind. */
import { useMemo } from "react";
import { Empty } from "../components/States";
import { textColor, textOn } from "../semantics/color";
import { opt, type PanelProps } from "./types";
import { fontFor, longestText, panelValues, tiles, type ShownValue } from "./values";

export function sparkPath(values: unknown[], times: number[], w: number, h: number): { line: string; area: string } | null {
  const pts: [number, number][] = [];
  let lo = Infinity;
  let hi = -Infinity;
  values.forEach((v, i) => {
    if (typeof v !== "number" || !Number.isFinite(v)) return;
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
    pts.push([times[i] ?? i, v]);
  });
  if (pts.length < 2) return null;
  const [t0, t1] = [pts[0]![0], pts[pts.length - 1]![0]];
  const at = pts.map(([t, v]) => `${(((t - t0) / (t1 - t0 || 1)) * w).toFixed(1)},${(hi === lo ? h / 2 : h - 2 - ((v - lo) / (hi - lo)) * (h - 4)).toFixed(1)}`);
  const line = "M" + at.join("L");
  return { line, area: `${line}L${w},${h}L0,${h}Z` };
}

function Tile({ v, p, w, h, several, longest }: { v: ShownValue; p: PanelProps; w: number; h: number; several: boolean; longest: number }) {
  const colorMode = opt<string>(p.panel, "colorMode", "value");
  const textMode = opt<string>(p.panel, "textMode", "auto");
  const graph = opt<string>(p.panel, "graphMode", "area") !== "none" && v.times.length > 1;
  const showName = textMode === "name" || textMode === "value_and_name" || (textMode === "auto" && several);
  const showValue = textMode !== "name" && textMode !== "none";
  const fill = colorMode.startsWith("background");
  const color = fill ? textOn(v.shown.color) : colorMode === "none" ? "var(--text-strong)" : textColor(v.shown.color, p.theme);
  const change = opt(p.panel, "showPercentChange", false) && v.change !== null ? v.change : null;
  const nameSize = opt<number>(p.panel, "text.titleSize", 0) || Math.min(15, Math.max(12, h / 7));
  const room = h - (showName && showValue ? nameSize * 1.5 : 0) - (change !== null ? 18 : 0) - 8;
  const valueSize = opt<number>(p.panel, "text.valueSize", 0) || fontFor(longest, w - 24, room * (graph ? 0.5 : 0.7), 46);
  const graphHeight = Math.max(14, Math.min(h * 0.4, h - valueSize * 1.25 - (showName ? nameSize * 1.5 : 0)));
  const path = graph && h > 48 ? sparkPath(v.field.values, v.times, w, graphHeight) : null;
  const center = opt<string>(p.panel, "justifyMode", "auto") === "center" || !path;
  const ink = fill ? textOn(v.shown.color) : v.shown.color;
  return (
    <div className="stat" style={{ width: w, height: h, background: fill ? v.shown.color : undefined, color, textAlign: center ? "center" : "left" }}>
      {path && (
        <svg className="spark" width={w} height={graphHeight} viewBox={`0 0 ${w} ${graphHeight}`} preserveAspectRatio="none" aria-hidden="true">
          <path d={path.area} fill={ink} opacity={0.14} />
          <path d={path.line} fill="none" stroke={ink} strokeWidth={1.5} opacity={0.9} vectorEffect="non-scaling-stroke" />
        </svg>
      )}
      <div className="stat-text" style={{ paddingBottom: path ? graphHeight * 0.55 : 0 }}>
        {showName && (
          <div className="stat-name" style={{ fontSize: nameSize, color: fill ? undefined : "var(--text)" }} title={v.title}>
            {v.title}
          </div>
        )}
        {showValue && (
          <div className="stat-value" style={{ fontSize: valueSize }}>
            {v.shown.prefix && <span className="unit">{v.shown.prefix}</span>}
            {v.shown.text}
            {v.shown.suffix && <span className="unit">{v.shown.suffix}</span>}
          </div>
        )}
        {change !== null && (
          <div className="stat-change">
            {change >= 0 ? "↑" : "↓"} {Math.abs(Math.round(change * 10) / 10)}%
          </div>
        )}
      </div>
    </div>
  );
}


export default function StatPanel(p: PanelProps) {
  const values = useMemo(() => panelValues(p.panel, p.frames), [p.panel, p.frames]);
  if (!values.length) return <Empty title={noValue(p)} />;
  const { cols, rows } = tiles(values.length, p.width, p.height, opt<string>(p.panel, "orientation", "auto"));
  const w = Math.floor((p.width - (cols - 1) * 4) / cols);
  const h = Math.max(36, Math.floor((p.height - (rows - 1) * 4) / rows));
  return (
    <div className="tiles" style={{ gridTemplateColumns: `repeat(${cols}, ${w}px)` }}>
      {values.map((v, i) => (
        <Tile key={i} v={v} p={p} w={w} h={h} several={values.length > 1} longest={longestText(values)} />
      ))}
    </div>
  );
}

export const noValue = (p: PanelProps) => p.panel.fieldConfig?.defaults?.noValue || "No data";
