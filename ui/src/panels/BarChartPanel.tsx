/* Bars by category: a text column names the categories, each number column is a bar in them. */
import { useMemo, useState } from "react";
import { Floating, TipRow, type At } from "../charts/Floating";
import { numberTicks } from "../charts/ticks";
import { Empty } from "../components/States";
import { numberFields, type Field } from "../semantics/frame";
import { plain } from "../semantics/units";
import { opt, type PanelProps } from "./types";

/* 1, 2 or 5 times a power of ten, about n of them up to max. */
export function niceSteps(min: number, max: number, n: number): number[] {
  const raw = (max - min) / Math.max(n, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw - 1e-12)!;
  const out: number[] = [];
  for (let i = Math.floor(min / step); i * step <= max + step * 1e-6; i++) out.push(+(i * step).toPrecision(12));
  return out;
}

export default function BarChartPanel(p: PanelProps) {
  const [tip, setTip] = useState<{ at: At; row: number } | null>(null);
  const frame = p.frames.find((f) => numberFields(f).length);
  const model = useMemo(() => {
    if (!frame) return null;
    const wanted = opt<string>(p.panel, "xField", "");
    const x = frame.fields.find((f) => wanted && f.state!.displayName === wanted) ?? frame.fields.find((f) => f.type === "string") ?? frame.fields.find((f) => f.type === "time");
    const bars = numberFields(frame).filter((f) => f !== x);
    return { x, bars };
  }, [frame, p.panel]);
  if (!frame || !model || !model.bars.length) return <Empty title="No bars to draw">The query's answer needs a column of numbers; ask for a table.</Empty>;
  const { x, bars } = model;
  const across = opt<string>(p.panel, "orientation", "auto") === "horizontal" || (opt<string>(p.panel, "orientation", "auto") === "auto" && p.width < p.height);
  const stacked = opt<string>(p.panel, "stacking", "none") !== "none";
  const percent = opt<string>(p.panel, "stacking", "none") === "percent";
  const n = frame.length;
  const value = (f: Field, i: number) => (typeof f.values[i] === "number" && Number.isFinite(f.values[i]) ? (f.values[i] as number) : 0);
  const total = (i: number) => bars.reduce((a, f) => a + Math.max(0, value(f, i)), 0);
  const tops = Array.from({ length: n }, (_, i) => (percent ? 1 : stacked ? total(i) : Math.max(...bars.map((f) => value(f, i)))));
  const lows = Array.from({ length: n }, (_, i) => Math.min(0, ...bars.map((f) => value(f, i))));
  const config = bars[0]!.config;
  const lo = config.min ?? Math.min(0, ...lows);
  const hi = percent ? 1 : (config.max ?? Math.max(...tops, lo + 1e-9) * 1.05);
  const ticks = niceSteps(lo, hi, across ? p.width / 90 : p.height / 50);
  const texts = percent ? ticks.map((t) => `${Math.round(t * 100)}%`) : numberTicks(ticks, (v, d) => plain(bars[0]!.state!.display(v, d)));
  const names = Array.from({ length: n }, (_, i) => (x ? plain(x.state!.display(x.values[i])) : String(i + 1)));
  const longest = Math.max(...names.map((t) => t.length)) * 6.4;
  const show = bars.length > 1 && opt(p.panel, "legend.showLegend", true);
  const legendHeight = show ? 24 : 0;
  const left = across ? Math.min(longest + 10, p.width * 0.4) : Math.max(...texts.map((t) => t.length)) * 6.4 + 10;
  const bottom = 20;
  const [w, h] = [Math.max(20, p.width - left - 10), Math.max(20, p.height - bottom - 8 - legendHeight)];
  const along = across ? h : w;
  const length = across ? w : h;
  const scale = (v: number) => ((v - lo) / (hi - lo)) * length;
  const slot = along / n;
  const group = slot * opt(p.panel, "groupWidth", 0.7);
  const thick = stacked ? group : group / bars.length;
  const every = Math.max(1, Math.ceil((across ? 16 : Math.min(longest, 90) + 12) / slot));
  const rect = (i: number, k: number, from: number, to: number) => {
    const a = slot * i + (slot - group) / 2 + (stacked ? 0 : thick * k) + thick * 0.04;
    const [s, e] = [scale(Math.min(from, to)), scale(Math.max(from, to))];
    return across ? { x: left + s, y: 8 + a, width: Math.max(0, e - s), height: thick * 0.92 } : { x: left + a, y: 8 + h - e, width: thick * 0.92, height: Math.max(0, e - s) };
  };
  const values = opt<string>(p.panel, "showValue", "auto");
  return (
    <div className="bars">
      <svg width={p.width} height={p.height - legendHeight} role="img" aria-label={`${p.panel.title || "Bars"}: ${n} groups`} onMouseLeave={() => setTip(null)}>
        {ticks.map((t, i) => {
          const at = scale(t);
          if (at < -0.5 || at > length + 0.5) return null;
          return across ? (
            <g key={t}>
              <line x1={left + at} x2={left + at} y1={8} y2={8 + h} stroke="var(--grid)" />
              <text x={left + at} y={8 + h + 14} fontSize={11} textAnchor="middle" fill="var(--axis)">
                {texts[i]}
              </text>
            </g>
          ) : (
            <g key={t}>
              <line x1={left} x2={left + w} y1={8 + h - at} y2={8 + h - at} stroke="var(--grid)" />
              <text x={left - 6} y={8 + h - at + 4} fontSize={11} textAnchor="end" fill="var(--axis)">
                {texts[i]}
              </text>
            </g>
          );
        })}
        {names.map((name, i) => {
          let [up, down] = [0, 0];
          return (
            <g key={i} onMouseMove={(e) => setTip({ at: { x: e.clientX, y: e.clientY }, row: i })}>
              <rect x={across ? left : left + slot * i} y={across ? 8 + slot * i : 8} width={across ? w : slot} height={across ? slot : h} fill={tip?.row === i ? "var(--hover)" : "transparent"} />
              {bars.map((f, k) => {
                const v = percent ? (total(i) ? value(f, i) / total(i) : 0) : value(f, i);
                const from = stacked ? (v < 0 ? down : up) : Math.max(0, lo);
                const to = stacked ? from + v : v;
                if (v < 0) down = to;
                else up = to;
                const r = rect(i, k, from, to);
                const text = plain(f.state!.display(f.values[i]));
                const room = across ? true : r.width > text.length * 6.2;
                return (
                  <g key={k}>
                    <rect {...r} fill={bars.length === 1 && f.config.color?.mode === "thresholds" ? f.state!.display(f.values[i]).color : f.state!.color} rx={2} />
                    {!stacked && v !== 0 && values !== "never" && room && (across ? r.width < w - 50 : r.height < h - 14) && (
                      <text x={across ? r.x + r.width + 4 : r.x + r.width / 2} y={across ? r.y + r.height / 2 + 4 : r.y - 4} fontSize={11} textAnchor={across ? "start" : "middle"} fill="var(--text)">
                        {text}
                      </text>
                    )}
                  </g>
                );
              })}
              {i % every === 0 && (
                <text x={across ? left - 6 : left + slot * (i + 0.5)} y={across ? 8 + slot * (i + 0.5) + 4 : 8 + h + 14} fontSize={11} textAnchor={across ? "end" : "middle"} fill="var(--axis)">
                  {name.length > 22 ? name.slice(0, 21) + "…" : name}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      {show && (
        <ul className="legend list bottom" aria-label="Series">
          {bars.map((f) => (
            <li key={f.state!.displayName}>
              <span className="swatch" style={{ background: f.state!.color }} />
              {f.state!.displayName}
            </li>
          ))}
        </ul>
      )}
      {tip && (
        <Floating at={tip.at}>
          <time>{names[tip.row]}</time>
          {bars.map((f) => (
            <TipRow key={f.state!.displayName} color={f.state!.color} name={f.state!.displayName} value={plain(f.state!.display(f.values[tip.row]))} />
          ))}
        </Floating>
      )}
    </div>
  );
}
