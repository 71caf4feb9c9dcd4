/* A field's value as text and colour. */
import type { Theme } from "../lib/theme";
import type { Zone } from "../lib/zone";
import { isContinuous, namedColor, scaleColor } from "./color";
import type { Field, FieldConfig } from "./frame";
import { activeThreshold, mapValue } from "./mappings";
import { isTimeUnit, unitFormat, type Text } from "./units";

export interface Shown extends Text { numeric: number; color: string; percent: number; mapped?: boolean }
export type Display = (value: unknown, decimals?: number) => Shown;

const numberOf = (v: unknown): number => (v === null || v === undefined || v === "" || Array.isArray(v) ? NaN : typeof v === "number" ? v : Number(v));

export const share = (v: number, range: { min: number; max: number }): number => {
  const s = (v - range.min) / (range.max - range.min);
  return s === s ? s : 0;
};

/* Colour of a value by the field's mode; for modes that colour whole series, the series' colour. */
export function valueColor(config: FieldConfig, v: number, percent: number, theme: Theme, seriesColor: string): string {
  const mode = config.color?.mode ?? "thresholds";
  if (mode === "thresholds") return namedColor(activeThreshold(config.thresholds, v, percent)?.color, theme);
  if (isContinuous(config.color)) return scaleColor(mode, percent, theme);
  if (mode === "fixed") return namedColor(config.color?.fixedColor, theme);
  return seriesColor;
}

export function makeDisplay(field: Field, range: { min: number; max: number }, seriesColor: string, theme: Theme, zone: Zone): Display {
  const { config } = field;
  let unit = typeof config.unit === "string" ? config.unit : undefined;
  if (!unit && field.type === "time") unit = "dateTimeAsSystem";
  if (!unit && field.type === "boolean") unit = "bool";
  if (!unit && field.type === "string") unit = "string";
  const format = unitFormat(unit);
  const asText = unit === "string";
  const trims = field.type === "number" && (config.decimals === null || config.decimals === undefined) && !isTimeUnit(unit) && !unit?.startsWith("currency") && !unit?.startsWith("bool") && unit !== "locale";
  return (value, decimals) => {
    const n = isTimeUnit(unit) && typeof value === "string" ? Date.parse(value) : asText ? NaN : numberOf(value);
    const hit = mapValue(config.mappings, value);
    let out: Text | null = hit?.text !== undefined && hit.text !== null && hit.text !== "" ? { text: hit.text } : null;
    const mapped = out !== null;
    if (!out && n === n && typeof value !== "boolean") {
      const t = format(n, trims && decimals !== undefined ? decimals : (config.decimals ?? undefined), zone);
      out = trims && decimals !== undefined && t.text === t.text.trim() && +t.text === +t.text ? { ...t, text: String(+t.text) } : t;
    }
    if (!out) {
      const text = value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value);
      out = { text: text || (config.noValue ?? "") };
    }
    const percent = n === n && n !== -Infinity ? share(n, range) : 0;
    const color = hit?.color ? namedColor(hit.color, theme) : typeof value === "boolean" ? namedColor(value ? "green" : "red", theme) : valueColor(config, n === n ? n : -Infinity, percent, theme, seriesColor);
    return { ...out, numeric: n, color, percent, mapped };
  };
}
