/* Shares of a whole, as a pie or a ring. */
import { useMemo, useState } from "react";
import { Floating, TipRow, type At } from "../charts/Floating";
import { Empty } from "../components/States";
import { palette, textOn } from "../semantics/color";
import { plain } from "../semantics/units";
import { noValue } from "./StatPanel";
import { opt, type PanelProps } from "./types";
import { panelValues } from "./values";

export interface Slice { name: string; value: number; text: string; color: string; share: number }

function slices(p: PanelProps): Slice[] {
  const all = panelValues(p.panel, p.frames).filter((v) => Number.isFinite(v.shown.numeric) && v.shown.numeric > 0);
  const sum = all.reduce((a, v) => a + v.shown.numeric, 0);
  const colors = palette(p.theme);
  const byRow = opt(p.panel, "reduceOptions.values", false);
  const byThreshold = p.panel.fieldConfig?.defaults?.color?.mode === "thresholds";
  const out = all.map((v, i) => ({ name: v.title, value: v.shown.numeric, text: plain(v.shown), color: byThreshold ? v.shown.color : byRow ? colors[i % colors.length]! : v.field.state!.color, share: v.shown.numeric / sum }));
  const sort = opt<string>(p.panel, "sort", "desc");
  return sort === "none" ? out : out.sort((a, b) => (sort === "asc" ? a.value - b.value : b.value - a.value));
}

function wedge(from: number, to: number, r: number, inner: number): string {
  const at = (share: number, radius: number) => {
    const a = share * 2 * Math.PI - Math.PI / 2;
    return `${(radius * Math.cos(a)).toFixed(2)} ${(radius * Math.sin(a)).toFixed(2)}`;
  };
  if (to - from > 0.9999) return `M0 ${-r}A${r} ${r} 0 1 1 0 ${r}A${r} ${r} 0 1 1 0 ${-r}${inner ? `M0 ${-inner}A${inner} ${inner} 0 1 0 0 ${inner}A${inner} ${inner} 0 1 0 0 ${-inner}` : ""}Z`;
  const big = to - from > 0.5 ? 1 : 0;
  return inner ? `M${at(from, r)}A${r} ${r} 0 ${big} 1 ${at(to, r)}L${at(to, inner)}A${inner} ${inner} 0 ${big} 0 ${at(from, inner)}Z` : `M0 0L${at(from, r)}A${r} ${r} 0 ${big} 1 ${at(to, r)}Z`;
}

export default function PieChartPanel(p: PanelProps) {
  const list = useMemo(() => slices(p), [p.frames, p.panel, p.theme]);
  const [tip, setTip] = useState<{ at: At; slice: Slice } | null>(null);
  if (!list.length) return <Empty title={noValue(p)} />;
  const ring = opt<string>(p.panel, "pieType", "pie") === "donut";
  const labels = opt<string[]>(p.panel, "displayLabels", []);
  const show = opt(p.panel, "legend.showLegend", true) && opt<string>(p.panel, "legend.displayMode", "list") !== "hidden";
  const right = opt<string>(p.panel, "legend.placement", "right") === "right";
  const values = opt<string[]>(p.panel, "legend.values", []);
  const size = Math.max(40, Math.min(show && right ? p.width * 0.54 : p.width, show && !right ? p.height * 0.7 : p.height));
  const r = size / 2 - 4;
  let at = 0;
  return (
    <div className={`pie viz-legend ${show ? (right ? "right" : "bottom") : ""}`}>
      <svg width={size} height={size} viewBox={`${-size / 2} ${-size / 2} ${size} ${size}`} role="img" aria-label={`${p.panel.title || "Pie"}: ${list.slice(0, 8).map((s) => `${s.name} ${s.text}`).join(", ")}`} onMouseLeave={() => setTip(null)}>
        {list.map((s) => {
          const [from, to] = [at, (at += s.share)];
          const mid = ((from + to) / 2) * 2 * Math.PI - Math.PI / 2;
          const lr = ring ? r * 0.8 : r * 0.68;
          const text = labels.map((l) => (l === "name" ? s.name : l === "percent" ? `${Math.round(s.share * 100)}%` : s.text)).join(" ");
          return (
            <g key={s.name} onMouseMove={(e) => setTip({ at: { x: e.clientX, y: e.clientY }, slice: s })}>
              <path d={wedge(from, to, r, ring ? r * 0.6 : 0)} fill={s.color} stroke="var(--surface)" strokeWidth={1} fillRule="evenodd" opacity={tip && tip.slice.name !== s.name ? 0.6 : 1} />
              {text && s.share > 0.05 && (
                <text x={lr * Math.cos(mid)} y={lr * Math.sin(mid) + 4} textAnchor="middle" fontSize={11} fill={textOn(s.color)}>
                  {text}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      {show && (
        <ul className={`legend list ${right ? "right" : "bottom"}`} aria-label="Shares">
          {list.map((s) => (
            <li key={s.name}>
              <span className="swatch" style={{ background: s.color }} />
              <span className="text">{s.name}</span>
              {values.includes("value") && <b>{s.text}</b>}
              {values.includes("percent") && <span className="legend-val">{Math.round(s.share * 100)}%</span>}
            </li>
          ))}
        </ul>
      )}
      {tip && (
        <Floating at={tip.at}>
          <TipRow color={tip.slice.color} name={tip.slice.name} value={`${tip.slice.text} (${(tip.slice.share * 100).toFixed(1)}%)`} />
        </Floating>
      )}
    </div>
  );
}
