/* Values as bars between min and max: plain, gradient, or in cells. */
import { useMemo } from "react";
import { Empty } from "../components/States";
import { isContinuous, namedColor, scaleColor, textColor } from "../semantics/color";
import { activeThreshold, stepValue } from "../semantics/mappings";
import { plain } from "../semantics/units";
import { gaugeRange, meter } from "./GaugePanel";
import { noValue } from "./StatPanel";
import { opt, type PanelProps } from "./types";
import { longestText, panelValues, type ShownValue } from "./values";

const within = (x: number) => Math.min(Math.max(Number.isFinite(x) ? x : 0, 0), 1);

function colorAt(v: ShownValue, share: number, p: PanelProps): string {
  const { min, max } = gaugeRange(v.field);
  const c = v.field.config.color;
  if (isContinuous(c)) return scaleColor(c!.mode, share, p.theme);
  if (!c || c.mode === "thresholds") return namedColor(activeThreshold(v.field.config.thresholds, min + share * (max - min), share)?.color, p.theme);
  return v.shown.color;
}

function fillStyle(v: ShownValue, share: number, p: PanelProps, across: boolean): string {
  const mode = opt<string>(p.panel, "displayMode", "gradient");
  if (mode !== "gradient") return v.shown.color;
  const { min, max } = gaugeRange(v.field);
  const side = across ? "to right" : "to top";
  const c = v.field.config.color;
  if (isContinuous(c)) return `linear-gradient(${side}, ${[0, 0.25, 0.5, 0.75, 1].map((s) => scaleColor(c!.mode, s * share, p.theme)).join(", ")})`;
  const steps = v.field.config.thresholds?.steps ?? [];
  if ((c && c.mode !== "thresholds") || steps.length < 2) return `linear-gradient(${side}, color-mix(in srgb, ${v.shown.color} 55%, transparent), ${v.shown.color})`;
  const stops = steps.map((s) => ({ at: within(v.field.config.thresholds!.mode === "percentage" ? stepValue(s) / 100 : (stepValue(s) - min) / (max - min)), color: namedColor(s.color, p.theme) })).filter((s) => s.at < share);
  if (!stops.length) return v.shown.color;
  return `linear-gradient(${side}, ${stops.map((s) => `${s.color} ${((s.at / share) * 100).toFixed(1)}%`).join(", ")}, ${stops[stops.length - 1]!.color} 100%)`;
}

function Bar({ v, p, across, size, length, named, longest }: { v: ShownValue; p: PanelProps; across: boolean; size: number; length: number; named: "left" | "top" | "none"; longest: number }) {
  const { min, max } = gaugeRange(v.field);
  const share = within((v.shown.numeric - min) / (max - min));
  const lcd = opt<string>(p.panel, "displayMode", "gradient") === "lcd";
  const valueMode = opt<string>(p.panel, "valueMode", "color");
  const track = opt(p.panel, "showUnfilled", true);
  const cells = Math.max(4, Math.floor(length / 14));
  const thick = across ? { height: size } : { width: size };
  const bar = lcd ? (
    <div className="lcd" style={{ flexDirection: across ? "row" : "column-reverse" }}>
      {Array.from({ length: cells }, (_, i) => {
        const s = i / (cells - 1);
        return <i key={i} style={{ background: colorAt(v, s, p), opacity: s <= share && share > 0 ? 1 : track ? 0.16 : 0 }} />;
      })}
    </div>
  ) : (
    <div className="bar-fill" style={{ background: fillStyle(v, share, p, across), [across ? "width" : "height"]: `${share * 100}%` }} />
  );
  return (
    <div className={`bargauge ${across ? "across" : "up"} ${named}`} {...meter(v, min, max)}>
      {named !== "none" && (
        <span className="bar-name" title={v.title} style={across ? undefined : { maxWidth: size + 6 }}>
          {v.title}
        </span>
      )}
      <div className="bar-track" style={{ ...thick, background: track && !lcd ? "var(--gauge-track)" : undefined }}>
        {bar}
      </div>
      {valueMode !== "hidden" && (
        <span className="bar-value" style={{ ...(across ? { width: `${longest * 0.62}em` } : { fontSize: Math.max(9, Math.min(15, (size + 6) / (longest * 0.58))) }), color: valueMode === "color" ? textColor(v.shown.color, p.theme) : "var(--text-strong)" }}>
          {plain(v.shown)}
        </span>
      )}
    </div>
  );
}

export default function BarGaugePanel(p: PanelProps) {
  const values = useMemo(() => panelValues(p.panel, p.frames), [p.panel, p.frames]);
  if (!values.length) return <Empty title={noValue(p)} />;
  const orientation = opt<string>(p.panel, "orientation", "auto");
  const across = orientation === "horizontal" || (orientation === "auto" && p.width > p.height);
  const place = opt<string>(p.panel, "namePlacement", "auto");
  const several = values.length > 1;
  const each = across ? Math.max(22, Math.min(64, p.height / values.length - 6)) : Math.max(24, Math.min(120, p.width / values.length - 8));
  const named = !several && place === "auto" ? "none" : place === "hidden" ? "none" : across && (place === "left" || (place === "auto" && each < 40)) ? "left" : "top";
  const longest = longestText(values);
  const size = across ? (named === "top" ? Math.max(10, each - 20) : each) : each;
  return (
    <div className={`bargauges ${across ? "across" : "up"}`} style={across ? { alignContent: "space-evenly" } : undefined}>
      {values.map((v, i) => (
        <Bar key={i} v={v} p={p} across={across} size={size} length={across ? p.width - 140 : p.height - 44} named={named} longest={longest} />
      ))}
    </div>
  );
}
