/* A dashboard's JSON may be written by anyone: lists that are none become empty, entries that are no objects go, texts
 * that are none are left out. For drawing only; the file stays as it is. */
import type { FieldConfigSource, Override } from "../semantics/fieldconfig";
import type { FieldConfig } from "../semantics/frame";
import type { DashboardJson, OldRow, Panel, Target, Transformation, VariableModel } from "./types";

type Loose = Record<string, unknown>;
const isObject = (v: unknown): v is Loose => typeof v === "object" && v !== null && !Array.isArray(v);
export const objects = <T>(v: unknown): T[] => (Array.isArray(v) ? v.filter(isObject) : []) as T[];
const textOf = (v: unknown): string | undefined => (typeof v === "string" ? v : undefined);
const objectOf = <T>(v: unknown): T | undefined => (isObject(v) ? (v as T) : undefined);

function shapedDefaults(d: unknown): FieldConfig {
  if (!isObject(d)) return {};
  const t = objectOf<{ mode?: string; steps?: unknown }>(d.thresholds);
  return {
    ...(d as FieldConfig),
    unit: textOf(d.unit),
    displayName: textOf(d.displayName),
    noValue: d.noValue === undefined || d.noValue === null ? undefined : String(d.noValue),
    mappings: objects(d.mappings),
    links: objects(d.links),
    color: objectOf(d.color),
    thresholds: t && { mode: t.mode === "percentage" ? "percentage" : "absolute", steps: objects(t.steps) },
    custom: objectOf(d.custom) ?? {},
  };
}

function shapedOverrides(list: unknown): Override[] {
  return objects<Loose>(list).flatMap((o) => {
    const matcher = objectOf<Override["matcher"]>(o.matcher);
    return matcher && typeof matcher.id === "string" ? [{ matcher, properties: objects<Override["properties"][number]>(o.properties).filter((p) => typeof p.id === "string") }] : [];
  });
}
const shapedFieldConfig = (f: unknown): FieldConfigSource | undefined => (isObject(f) ? { ...f, defaults: shapedDefaults(f.defaults), overrides: shapedOverrides(f.overrides) } : undefined);

export function shapedPanel(p: Panel): Panel {
  return {
    ...p,
    type: typeof p.type === "string" ? p.type : "",
    title: textOf(p.title),
    description: textOf(p.description),
    targets: objects<Target>(p.targets).map((t) => ({ ...t, expr: textOf(t.expr), legendFormat: textOf(t.legendFormat), interval: textOf(t.interval) })),
    transformations: objects<Transformation>(p.transformations).filter((t) => typeof t.id === "string").map((t) => ({ ...t, options: objectOf<Record<string, unknown>>(t.options) ?? {} })),
    links: objects(p.links),
    options: objectOf(p.options) ?? {},
    fieldConfig: shapedFieldConfig(p.fieldConfig),
    interval: textOf(p.interval),
    timeFrom: textOf(p.timeFrom),
    timeShift: textOf(p.timeShift),
    repeat: textOf(p.repeat),
    ...(p.panels !== undefined && { panels: objects<Panel>(p.panels).map(shapedPanel) }),
  };
}

export function shaped(json: DashboardJson): DashboardJson {
  const time = objectOf<{ from?: unknown; to?: unknown }>(json.time);
  const word = (v: unknown, otherwise: string) => (typeof v === "string" || typeof v === "number" ? String(v) : otherwise);
  return {
    ...json,
    title: textOf(json.title),
    description: textOf(json.description),
    timezone: textOf(json.timezone),
    refresh: textOf(json.refresh),
    tags: Array.isArray(json.tags) ? json.tags.filter((t) => typeof t === "string") : [],
    time: time && { from: word(time.from, "now-6h"), to: word(time.to, "now") },
    timepicker: shapedPicker(json.timepicker),
    templating: { list: objects<VariableModel>(json.templating?.list).filter((v) => typeof v.name === "string").map(shapedVariable) },
    links: objects(json.links),
    panels: objects<Panel>(json.panels).map(shapedPanel),
    rows: objects<OldRow>(json.rows).map((r) => ({ ...r, title: textOf(r.title), panels: objects<Panel>(r.panels).map(shapedPanel) })),
  };
}

function shapedPicker(t: unknown): DashboardJson["timepicker"] {
  if (!isObject(t)) return undefined;
  return { ...t, refresh_intervals: Array.isArray(t.refresh_intervals) ? t.refresh_intervals.filter((i): i is string => typeof i === "string") : undefined };
}

function shapedVariable(v: VariableModel): VariableModel {
  return {
    ...v,
    type: typeof v.type === "string" ? v.type : "custom",
    label: textOf(v.label),
    regex: textOf(v.regex),
    definition: textOf(v.definition),
    allValue: textOf(v.allValue),
    query: typeof v.query === "string" ? v.query : objectOf(v.query),
    options: objects(v.options),
    current: objectOf(v.current),
  };
}
