/* Lines, bars and points over time, with a legend. */
import { useMemo, useRef, useState } from "react";
import { Legend, type LegendItem, type LegendSort } from "../charts/Legend";
import { TimeChart } from "../charts/TimeChart";
import type { TooltipMode, TooltipSort } from "../charts/Tooltip";
import { Empty } from "../components/States";
import { useSize } from "../lib/useSize";
import { numberFields } from "../semantics/frame";
import { reduce, reducerKeepsUnit, reducerName } from "../semantics/reducers";
import { plain } from "../semantics/units";
import { chartModel, type SeriesInfo } from "./timeseries_model";
import { opt, type PanelProps } from "./types";

/* Clicking the one series shown alone brings all back. */
export function toggled(hidden: Set<string>, all: string[], label: string, alone: boolean): Set<string> {
  if (!alone) {
    const next = new Set(hidden);
    if (!next.delete(label)) next.add(label);
    return next.size === all.length ? new Set() : next;
  }
  const others = all.filter((l) => l !== label);
  const isAlone = !hidden.has(label) && others.every((l) => hidden.has(l));
  return new Set(isAlone ? [] : others);
}

function legendItem(s: SeriesInfo, calcs: string[], hidden: boolean): LegendItem {
  const values = calcs.map((id) => {
    const v = reduce(id, s.field.values);
    const shown = s.field.state!.display(v);
    return { name: reducerName(id), shown: reducerKeepsUnit(id) ? shown : { ...shown, text: id === "diffperc" ? `${Math.round(Number(v) * 10) / 10}%` : String(v), prefix: undefined, suffix: undefined } };
  });
  return { label: s.label, color: s.color, hidden, values };
}

function summary(title: string | undefined, info: SeriesInfo[]): string {
  const some = info.slice(0, 8).map((s) => `${s.label} ${plain(s.field.state!.display(reduce("lastNotNull", s.field.values)))}`);
  return `${title || "Chart"}: ${info.length} series. Latest: ${some.join(", ")}${info.length > 8 ? " and more" : ""}. Arrow keys move the cursor.`;
}

export default function TimeSeriesPanel(p: PanelProps) {
  const [hidden, setHidden] = useState<Set<string>>(new Set());
  const [sort, setSort] = useState<LegendSort | null>(() => {
    const by = opt(p.panel, "legend.sortBy", "");
    return by ? { by, desc: opt(p.panel, "legend.sortDesc", false) } : null;
  });
  const model = useMemo(() => chartModel(p.frames, hidden, p.theme), [p.frames, hidden, p.theme]);
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);

  const mode = opt<string>(p.panel, "legend.displayMode", "list");
  const show = opt(p.panel, "legend.showLegend", true) && mode !== "hidden";
  const placement = opt<"bottom" | "right">(p.panel, "legend.placement", "bottom");
  const calcs = opt<string[]>(p.panel, "legend.calcs", []);
  const items = useMemo(() => (show ? model.info.filter((s) => s.inLegend).map((s) => legendItem(s, calcs, hidden.has(s.label))) : []), [show, model, hidden, calcs.join()]);
  if (p.frames.length > 0 && !p.frames.some((f) => numberFields(f).length)) return <Empty title="Nothing to draw over time">The query's answer has no numbers with times. Show it as a table instead.</Empty>;

  const labels = model.info.map((s) => s.label);
  return (
    <div className={`viz-legend ${show ? placement : ""}`}>
      <div className="viz" ref={box}>
        {size.width > 0 && (
          <TimeChart
            width={size.width}
            height={size.height}
            from={p.from}
            to={p.to}
            times={model.times}
            series={model.series}
            axes={model.axes}
            marks={model.marks}
            zone={p.zone}
            tooltip={opt<TooltipMode>(p.panel, "tooltip.mode", "single")}
            tooltipSort={opt<TooltipSort>(p.panel, "tooltip.sort", "none")}
            hideZeros={opt(p.panel, "tooltip.hideZeros", false)}
            sync={p.graphTooltip ? { key: "dashboard", tips: p.graphTooltip === 2 } : undefined}
            summary={summary(p.panel.title, model.info)}
            onZoom={p.onZoom}
          />
        )}
      </div>
      {show && items.length > 0 && (
        <Legend
          items={items}
          mode={mode === "table" ? "table" : "list"}
          placement={placement}
          sort={sort}
          onSort={(by) => setSort((s) => (s?.by.toLowerCase() !== by.toLowerCase() ? { by, desc: by !== "Name" } : by === "Name" ? (s.desc ? null : { by, desc: true }) : s.desc ? { by, desc: false } : null))}
          onToggle={(label, alone) => setHidden((h) => toggled(h, labels, label, alone))}
        />
      )}
    </div>
  );
}
