/* Data as panels see it: columns with a type, labels and a configuration. Times are epoch milliseconds. */
import type { LogLine } from "../api/loki";
import type { Display } from "./display";

export type FieldType = "time" | "number" | "string" | "boolean" | "other";
export interface Threshold { value: number | null; color: string }
export interface Thresholds { mode: "absolute" | "percentage"; steps: Threshold[] }
export interface MappingResult { text?: string; color?: string; index?: number; icon?: string }
export interface Mapping { type: "value" | "range" | "regex" | "special"; options: Record<string, unknown> }
export interface ColorConfig { mode: string; fixedColor?: string; seriesBy?: "last" | "min" | "max" }
export interface DataLink { title: string; url: string; targetBlank?: boolean }
/* eslint-free any: a panel's own options are read through accessors that give defaults */
export type Custom = Record<string, unknown>;

export interface FieldConfig {
  displayName?: string;
  displayNameFromDS?: string;
  unit?: string;
  decimals?: number | null;
  min?: number | null;
  max?: number | null;
  fieldMinMax?: boolean;
  noValue?: string;
  color?: ColorConfig;
  thresholds?: Thresholds;
  mappings?: Mapping[];
  links?: DataLink[];
  /* milliseconds between values, where the source promises one */
  interval?: number | null;
  custom?: Custom;
}

export interface FieldState { displayName: string; seriesIndex: number; range: { min: number; max: number }; display: Display; color: string }
export interface Field {
  name: string;
  type: FieldType;
  values: unknown[];
  labels?: Record<string, string>;
  config: FieldConfig;
  state?: FieldState;
}
export interface Frame {
  refId?: string;
  name?: string;
  fields: Field[];
  length: number;
  /* a log answer keeps its lines as they came */
  logs?: LogLine[];
}

export const numberFields = (f: Frame) => f.fields.filter((x) => x.type === "number");
export const timeField = (f: Frame) => f.fields.find((x) => x.type === "time");
export const emptyFrames = (frames: Frame[]) => frames.every((f) => f.length === 0);

function labelsText(labels: Record<string, string>): string {
  const all = Object.entries(labels);
  return all.length ? `{${all.map(([k, v]) => `${k}="${v}"`).join(", ")}}` : "";
}

/* The label name that all fields share when it is the only one anywhere. */
function onlyLabel(frames: Frame[]): string | null {
  let name: string | null = null;
  for (const frame of frames)
    for (const field of frame.fields)
      for (const key of Object.keys(field.labels ?? {})) {
        if (name !== null && key !== name) return null;
        name = key;
      }
  return name;
}

/* The name a field goes by: the configured one, the data source's, else what tells it from the others. */
export function fieldName(field: Field, frame: Frame, all: Frame[]): string {
  if (field.config.displayName) return field.config.displayName;
  if (field.config.displayNameFromDS) return field.config.displayNameFromDS;
  if (field.type === "time" && !field.labels) return field.name;
  const parts: string[] = [];
  const framesDiffer = all.some((f, i) => i > 0 && f.name !== all[i - 1]!.name);
  if (framesDiffer && frame.name) parts.push(frame.name);
  const named = parts.length > 0;
  if (field.name && field.name !== "Value") parts.push(field.name);
  let labelled = false;
  if (field.labels) {
    const single = onlyLabel(all);
    const text = single ? field.labels[single] : labelsText(field.labels);
    if (text) {
      parts.push(text);
      labelled = true;
    }
  }
  if (!named && !labelled && field.name === "Value" && frame.name) parts.push(frame.name);
  const text = parts.length ? parts.join(" ") : field.name || "Value";
  if (text !== field.name) return text;
  const same = frame.fields.filter((f) => f.name === field.name);
  const nth = same.indexOf(field);
  return same.length > 1 ? `${text} ${nth + 1}` : text;
}
