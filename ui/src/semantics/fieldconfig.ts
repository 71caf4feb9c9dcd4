/* A panel's defaults and overrides on its data: every field gets its configuration, name, range, colour and display. */
import type { Theme } from "../lib/theme";
import type { Zone } from "../lib/zone";
import { namedColor, isByValue, palette, seriesColors } from "./color";
import { makeDisplay, share, valueColor } from "./display";
import { fieldName, type Field, type FieldConfig, type Frame } from "./frame";
import { patternOf } from "./mappings";
import { reduce } from "./reducers";

export interface Override { matcher: { id: string; options?: unknown }; properties: { id: string; value?: unknown }[] }
export interface FieldConfigSource { defaults?: FieldConfig; overrides?: Override[] }
export interface FieldContext { theme: Theme; zone: Zone; replace: (text: string, scope?: Record<string, string>) => string }

type Match = (field: Field, frame: Frame, name: string) => boolean;
const never: Match = () => false;

function byValue(o: { reducer?: string; op?: string; value?: number }): Match {
  return (field) => {
    if (field.type !== "number") return false;
    const v = reduce(o.reducer ?? "lastNotNull", field.values);
    if (typeof v === "boolean") return v;
    if (typeof v !== "number") return false;
    const want = o.value ?? 0;
    return { ">=": v >= want, "<=": v <= want, ">": v > want, "<": v < want, "==": v === want, "!=": v !== want }[o.op ?? ">="] ?? false;
  };
}

export function matcherOf(m: { id: string; options?: unknown }): Match {
  switch (m.id) {
    case "byName": return (f, _frame, name) => name === m.options || f.name === m.options;
    case "byRegexp": {
      const re = patternOf(String(m.options ?? ""));
      return re ? (_f, _frame, name) => ((re.lastIndex = 0), re.test(name)) : never;
    }
    case "byType": return (f) => f.type === m.options;
    case "byTypes": return (f) => Array.isArray(m.options) && m.options.includes(f.type);
    case "numeric": return (f) => f.type === "number";
    case "time": return (f) => f.type === "time";
    case "byFrameRefID": return (_f, frame) => (frame.refId ?? "") === m.options;
    case "byNames": {
      const o = (m.options ?? {}) as { mode?: string; names?: string[] };
      return (f, _frame, name) => f.type !== "time" && (o.names ?? []).includes(name) !== (o.mode === "exclude");
    }
    case "byValue": return byValue((m.options ?? {}) as object);
    default: return never;
  }
}

/* Sets "unit" or "custom.axisPlacement" on a copy; a property without a value takes the setting away. */
function setPath(config: FieldConfig, path: string, value: unknown): void {
  const keys = path.split(".");
  let at = config as Record<string, unknown>;
  for (const k of keys.slice(0, -1)) at = at[k] = { ...(at[k] as object) };
  const last = keys[keys.length - 1]!;
  if (value === undefined || value === null) delete at[last];
  else at[last] = value;
}

function rangeOf(fields: Field[]): { min: number; max: number } | null {
  let min = Infinity;
  let max = -Infinity;
  for (const f of fields)
    for (const v of f.values)
      if (typeof v === "number" && Number.isFinite(v)) {
        if (v < min) min = v;
        if (v > max) max = v;
      }
  return min <= max ? { min, max } : null;
}

export function applyFieldConfig(frames: Frame[], source: FieldConfigSource | undefined, ctx: FieldContext): Frame[] {
  const overrides = (source?.overrides ?? []).map((o) => ({ match: matcherOf(o.matcher), properties: o.properties ?? [] }));
  const out = frames.map((frame): Frame => ({ ...frame, fields: frame.fields.map((f) => ({ ...f, config: { ...f.config } })) }));
  const series: { field: Field; name: string }[] = [];

  for (const frame of out)
    for (const field of frame.fields) {
      const dsName = fieldName(field, frame, out);
      const d = source?.defaults ?? {};
      field.config = { ...field.config, ...stripEmpty(d), custom: { ...field.config.custom, ...d.custom } };
      if (field.type === "time") delete field.config.unit, delete field.config.displayName;
      for (const o of overrides) if (o.match(field, frame, dsName)) for (const p of o.properties) setPath(field.config, p.id, p.value);
      const scope = { "__series.name": dsName, "__field.name": dsName, "__field.displayName": dsName };
      if (field.config.displayName) field.config.displayName = ctx.replace(field.config.displayName, { ...scope, ...labelScope(field) });
      const name = field.config.displayName || dsName;
      field.state = { displayName: name, seriesIndex: 0, range: { min: 0, max: 100 }, display: () => ({ text: "", numeric: NaN, color: "", percent: 0 }), color: "" };
      if (field.type !== "time") series.push({ field, name });
    }

  const numeric = series.filter((s) => s.field.type === "number");
  const global = rangeOf(numeric.map((s) => s.field)) ?? { min: 0, max: 100 };
  const colors = seriesColors(numeric.map((s) => s.name), ctx.theme);
  const colorOf = new Map(numeric.map((s, i) => [s.field, colors[i]!]));
  let index = 0;
  for (const frame of out)
    for (const field of frame.fields) {
      const s = field.state!;
      const own = field.config.fieldMinMax ? (rangeOf([field]) ?? global) : global;
      s.range = { min: field.config.min ?? own.min, max: field.config.max ?? own.max };
      if (field.type === "number") s.seriesIndex = index++;
      s.color = seriesColor(field, colorOf.get(field) ?? palette(ctx.theme)[0]!, ctx.theme);
      s.display = makeDisplay(field, s.range, s.color, ctx.theme, ctx.zone);
    }
  return out;
}

function stripEmpty(d: FieldConfig): FieldConfig {
  return Object.fromEntries(Object.entries(d).filter(([, v]) => v !== undefined && v !== null && v !== "")) as FieldConfig;
}
function labelScope(field: Field): Record<string, string> {
  return Object.fromEntries(Object.entries(field.labels ?? {}).flatMap(([k, v]) => [[`__field.labels.${k}`, v], [`__field.labels["${k}"]`, v]]));
}

/* What a line is drawn in: by mode, where modes by value take the series' last (or smallest, or largest) value. */
function seriesColor(field: Field, fromPalette: string, theme: Theme): string {
  const c = field.config.color;
  if (c?.mode === "fixed" || c?.mode === "shades") return namedColor(c.fixedColor, theme);
  if (!isByValue(c)) return fromPalette;
  if (!c) return fromPalette;
  const v = reduce(c.seriesBy === "min" || c.seriesBy === "max" ? c.seriesBy : "lastNotNull", field.values);
  const n = typeof v === "number" ? v : 0;
  return valueColor(field.config, n, share(n, field.state!.range), theme, fromPalette);
}
