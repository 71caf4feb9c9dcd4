/* Counts by time and bucket, as colour. */
import { useLayoutEffect, useMemo, useRef, useState } from "react";
import { Floating, TipRow, type At } from "../charts/Floating";
import { TimeAxis } from "../charts/TimeAxis";
import { Empty } from "../components/States";
import { formatTime } from "../lib/time";
import { ramp } from "../semantics/colorscheme";
import { plain, unitFormat } from "../semantics/units";
import { fromBuckets, fromValues, type Cells } from "./heatmap_model";
import { opt, type PanelProps } from "./types";

function level(v: number, most: number, p: PanelProps, steps: number): number {
  const lo = opt<number>(p.panel, "color.min", 0);
  const hi = opt<number>(p.panel, "color.max", most) || 1;
  const share = Math.min(Math.max((v - lo) / (hi - lo || 1), 0), 1);
  const exponent = opt<string>(p.panel, "color.scale", "exponential") === "exponential" ? opt<number>(p.panel, "color.exponent", 0.5) : 1;
  return Math.min(steps - 1, Math.floor(share ** exponent * steps));
}

export default function HeatmapPanel(p: PanelProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [tip, setTip] = useState<{ at: At; t: number; k: number } | null>(null);
  const cells = useMemo<Cells | null>(() => {
    const bucketed = opt(p.panel, "calculate", false) ? null : fromBuckets(p.frames);
    return bucketed ?? fromValues(p.frames, 60, 20);
  }, [p.frames, p.panel]);
  const unit = opt<string>(p.panel, "yAxis.unit", p.panel.fieldConfig?.defaults?.unit ?? "short");
  const name = (v: number) => (v === Infinity ? "+Inf" : plain(unitFormat(unit)(v, opt<number | undefined>(p.panel, "yAxis.decimals", undefined))));
  const steps = Math.max(2, Math.min(128, opt(p.panel, "color.steps", 64)));
  const colors = useMemo(() => ramp(opt<string>(p.panel, "color.scheme", "Oranges"), opt(p.panel, "color.reverse", false), p.theme === "dark", steps), [p.panel, p.theme, steps]);
  const labels = cells ? cells.bounds.map(name) : [];
  const left = Math.max(24, ...labels.map((t) => t.length * 6.4)) + 10;
  const [w, h] = [Math.max(20, p.width - left - 8), Math.max(20, p.height - 32)];
  const rows = cells?.bounds.length ?? 1;

  useLayoutEffect(() => {
    const c = canvas.current;
    if (!c || !cells) return;
    const px = devicePixelRatio || 1;
    c.width = w * px;
    c.height = h * px;
    const g = c.getContext("2d")!;
    g.scale(px, px);
    g.clearRect(0, 0, w, h);
    const gap = Math.min(opt(p.panel, "cellGap", 1), 3);
    const cw = (cells.step / (p.to - p.from)) * w;
    const ch = h / rows;
    cells.times.forEach((t, i) => {
      /* a bucket's count belongs to the step that ends at its time */
      const x = ((t - cells.step - p.from) / (p.to - p.from)) * w;
      cells.counts[i]!.forEach((v, k) => {
        if (v <= opt(p.panel, "filterValues.le", 1e-9)) return;
        g.fillStyle = colors[level(v, cells.most, p, steps)]!;
        g.fillRect(x, h - (k + 1) * ch, Math.max(1, cw - gap), Math.max(1, ch - gap));
      });
    });
  }, [cells, w, h, colors, p.from, p.to]);

  if (!cells) return <Empty title="No buckets to draw">The query's answer has no numbers over time.</Empty>;
  const every = Math.max(1, Math.ceil((rows * 16) / h));
  return (
    <div className="heatmap">
      <div className="heat-body" style={{ height: h }}>
        <div className="heat-labels" style={{ width: left }} aria-hidden="true">
          {labels.map((t, k) => (k % every === 0 ? <span key={k} style={{ bottom: `${((k + 1) / rows) * 100}%` }}>{t}</span> : null))}
        </div>
        <canvas
          ref={canvas}
          style={{ width: w, height: h }}
          role="img"
          aria-label={`${p.panel.title || "Heatmap"}: ${rows} buckets, at most ${Math.round(cells.most * 100) / 100} a cell`}
          onMouseLeave={() => setTip(null)}
          onMouseMove={(e) => {
            const box = e.currentTarget.getBoundingClientRect();
            const ts = p.from + ((e.clientX - box.left) / w) * (p.to - p.from);
            const t = cells.times.findIndex((x) => x >= ts);
            setTip(t < 0 ? null : { at: { x: e.clientX, y: e.clientY }, t, k: Math.min(rows - 1, Math.max(0, Math.floor((1 - (e.clientY - box.top) / h) * rows))) });
          }}
        />
      </div>
      <TimeAxis from={p.from} to={p.to} width={w} zone={p.zone} left={left} />
      {tip && cells.times[tip.t] !== undefined && (
        <Floating at={tip.at}>
          <time>{formatTime(cells.times[tip.t]!, p.zone)}</time>
          <TipRow color={colors[level(cells.counts[tip.t]![tip.k]!, cells.most, p, steps)]} name={`${name(tip.k ? cells.bounds[tip.k - 1]! : cells.lowest)} to ${name(cells.bounds[tip.k]!)}`} value={String(Math.round(cells.counts[tip.t]![tip.k]! * 1000) / 1000)} />
        </Floating>
      )}
    </div>
  );
}
