/* Old dashboard files as today's model, for drawing only: the file itself stays as it is. */
import type { Custom, FieldConfig, Mapping, Threshold } from "../semantics/frame";
import type { Override } from "../semantics/fieldconfig";
import type { DashboardJson, OldRow, Panel } from "./types";
import { columns } from "./layout";
import { objects, shaped } from "./shape";

type Old = Record<string, any>;

export function migrated(given: DashboardJson): DashboardJson {
  const json = shaped(given);
  const rows = json.rows?.length ? fromRows(json.rows) : (json.panels ?? []);
  return { ...json, panels: rows.map(panel) };
}

/* Before schema 16: rows of a height, panels of a span out of 12. */
function fromRows(rows: OldRow[]): Panel[] {
  const out: Panel[] = [];
  let id = Math.max(0, ...rows.flatMap((r) => (r.panels ?? []).map((p) => p.id ?? 0))) + 1;
  let y = 0;
  const titled = rows.some((r) => r.collapse || r.showTitle || r.repeat);
  for (const row of rows) {
    const h = Math.max(3, Math.ceil(parseInt(String(row.height ?? 250), 10) / 38));
    const inside: Panel[] = [];
    let x = 0;
    let py = y + (titled ? 1 : 0);
    for (const p of row.panels ?? []) {
      const w = Math.round((p.span ?? 4) * 2);
      if (x + w > columns) {
        x = 0;
        py += h;
      }
      inside.push({ ...p, id: p.id ?? id++, gridPos: { x, y: py, w, h } });
      x += w;
    }
    if (titled) out.push({ id: id++, type: "row", title: row.title ?? "Row", collapsed: !!row.collapse, repeat: row.repeat ?? undefined, gridPos: { x: 0, y, w: columns, h: 1 }, panels: row.collapse ? inside : [] });
    if (!titled || !row.collapse) out.push(...inside);
    y = py + h;
  }
  return out;
}

function panel(p: Panel): Panel {
  if (p.type === "row") return p.panels?.length ? { ...p, panels: p.panels.map(panel) } : p;
  if (p.type === "graph") return fromGraph(p as Panel & Old);
  if (p.type === "singlestat" || p.type === "grafana-singlestat-panel") return fromSinglestat(p as Panel & Old);
  if (p.type === "table-old") return { ...p, type: "table" };
  return p;
}

const fromStyle = (g: Old): Custom => ({
  drawStyle: g.bars ? "bars" : g.lines === false && g.points ? "points" : "line",
  lineWidth: g.linewidth ?? 1,
  fillOpacity: (g.fill ?? 1) * 10,
  lineInterpolation: g.steppedLine ? "stepAfter" : "linear",
  showPoints: g.points ? "always" : "never",
  spanNulls: g.nullPointMode === "connected",
  stacking: { mode: g.stack ? (g.percentage ? "percent" : "normal") : "none", group: "A" },
});

function fromGraph(g: Panel & Old): Panel {
  const [left, right] = objects<Old>(g.yaxes);
  const number = (v: unknown) => (v === null || v === undefined || v === "" || v === "auto" ? undefined : Number(v));
  const defaults: FieldConfig = { unit: left?.format, min: number(left?.min), max: number(left?.max), decimals: number(g.decimals ?? left?.decimals), color: { mode: "palette-classic" }, custom: { ...fromStyle(g), axisLabel: left?.label ?? "", ...(left?.logBase > 1 && { scaleDistribution: { type: "log", log: left!.logBase } }), ...(left?.show === false && { axisPlacement: "hidden" }) } };
  const overrides: Override[] = [];
  for (const [name, color] of Object.entries(g.aliasColors ?? {})) overrides.push({ matcher: { id: "byName", options: name }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: color } }] });
  for (const s of objects<Old>(g.seriesOverrides)) {
    const properties: Override["properties"] = [];
    const add = (id: string, value: unknown) => properties.push({ id, value });
    if (s.color) add("color", { mode: "fixed", fixedColor: s.color });
    if (s.fill !== undefined) add("custom.fillOpacity", s.fill * 10);
    if (s.linewidth !== undefined) add("custom.lineWidth", s.linewidth);
    if (s.transform) add("custom.transform", s.transform);
    if (s.stack !== undefined) add("custom.stacking", { mode: s.stack ? "normal" : "none", group: typeof s.stack === "string" ? s.stack : "A" });
    if (s.dashes) add("custom.lineStyle", { fill: "dash", dash: [s.dashLength ?? 10, s.spaceLength ?? 10] });
    if (s.yaxis === 2) {
      add("unit", right?.format);
      add("custom.axisPlacement", "right");
    }
    if (s.legend === false) add("custom.hideFrom", { legend: true, tooltip: false, viz: false });
    const alias = String(s.alias ?? "");
    overrides.push({ matcher: alias.startsWith("/") ? { id: "byRegexp", options: alias } : { id: "byName", options: alias }, properties });
  }
  const l = (g.legend ?? {}) as Old;
  const calcs = l.values === false ? [] : ["min", "max", "avg", "current", "total"].filter((c) => l[c]).map((c) => ({ min: "min", max: "max", avg: "mean", current: "lastNotNull", total: "sum" })[c]!);
  return { ...g, type: "timeseries", fieldConfig: { defaults, overrides }, options: { legend: { showLegend: l.show !== false, displayMode: l.alignAsTable ? "table" : "list", placement: l.rightSide ? "right" : "bottom", calcs }, tooltip: { mode: g.tooltip?.shared === false ? "single" : "multi", sort: g.tooltip?.sort === 2 ? "desc" : "none" } } };
}

const oldReducers: Record<string, string> = { avg: "mean", current: "lastNotNull", total: "sum", min: "min", max: "max", first: "first", delta: "delta", diff: "diff", range: "range" };

function fromSinglestat(s: Panel & Old): Panel {
  const colors = (Array.isArray(s.colors) && s.colors.length ? s.colors : ["green", "orange", "red"]) as string[];
  const limits = String(s.thresholds ?? "").split(",").filter((t) => t.trim() !== "").map(Number);
  const steps: Threshold[] = [{ value: null, color: colors[0]! }, ...limits.map((value, i) => ({ value, color: colors[i + 1] ?? colors[colors.length - 1]! }))];
  const mappings: Mapping[] = [];
  for (const m of objects<Old>(s.valueMaps)) mappings.push(m.value === "null" ? { type: "special", options: { match: "null", result: { text: m.text } } } : { type: "value", options: { [m.value]: { text: m.text } } });
  for (const m of objects<Old>(s.rangeMaps)) mappings.push({ type: "range", options: { from: Number(m.from), to: Number(m.to), result: { text: m.text } } });
  const defaults: FieldConfig = { unit: s.format, decimals: s.decimals ?? undefined, thresholds: { mode: "absolute", steps }, mappings, min: s.gauge?.minValue, max: s.gauge?.maxValue, color: { mode: "thresholds" } };
  const gauge = !!s.gauge?.show;
  return {
    ...s,
    type: gauge ? "gauge" : "stat",
    fieldConfig: { defaults, overrides: [] },
    options: { reduceOptions: { calcs: [oldReducers[s.valueName] ?? "mean"], fields: "", values: false }, colorMode: s.colorBackground ? "background" : s.colorValue ? "value" : "none", graphMode: s.sparkline?.show ? "area" : "none", textMode: "value", justifyMode: "auto", showThresholdMarkers: true },
  };
}
