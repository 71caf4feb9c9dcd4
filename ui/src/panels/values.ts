/* What stat, gauge and bar gauge show: one value a series and calculation, or one a row. */
import { patternOf } from "../semantics/mappings";
import { timeField, type Field, type Frame } from "../semantics/frame";
import type { Shown } from "../semantics/display";
import { plain } from "../semantics/units";
import { reduce } from "../semantics/reducers";
import { opt } from "./types";
import type { Panel } from "../model/types";

export interface ShownValue { title: string; shown: Shown; field: Field; times: number[]; change: number | null }

export function panelValues(panel: Panel, frames: Frame[]): ShownValue[] {
  const calcs = opt<string[]>(panel, "reduceOptions.calcs", []);
  const ids = calcs.length ? calcs : ["lastNotNull"];
  const wanted = opt(panel, "reduceOptions.fields", "");
  const re = wanted ? patternOf(wanted) : null;
  const rows = opt(panel, "reduceOptions.values", false);
  const limit = opt(panel, "reduceOptions.limit", 25) || 25;
  const out: ShownValue[] = [];
  for (const frame of frames)
    for (const field of frame.fields) {
      const name = field.state!.displayName;
      if (re ? !re.test(name) : field.type !== "number") continue;
      const times = (timeField(frame)?.values ?? []) as number[];
      if (rows) for (let i = 0; i < field.values.length && out.length < limit; i++) out.push({ title: rowName(frame, field, i), shown: field.state!.display(field.values[i]), field, times: [], change: null });
      else
        for (const id of ids) {
          const change = reduce("diffperc", field.values);
          out.push({ title: name, shown: field.state!.display(reduce(id, field.values)), field, times, change: typeof change === "number" && Number.isFinite(change) ? change : null });
        }
      if (out.length >= limit) return out.slice(0, limit);
    }
  return out;
}

/* A row goes by its texts; by the column's name too when there are several numbers. */
function rowName(frame: Frame, field: Field, row: number): string {
  const texts = frame.fields.filter((f) => f !== field && f.type === "string").map((f) => String(f.values[row] ?? "")).filter(Boolean);
  const others = frame.fields.some((f) => f !== field && f.type === "number");
  return [...texts, ...(others || !texts.length ? [field.state!.displayName] : [])].join(" ");
}

/* Columns and rows that give n tiles the best shape: aspect times as wide as high. */
export function tiles(n: number, width: number, height: number, orientation: string, aspect = 2.2): { cols: number; rows: number } {
  if (orientation === "horizontal") return { cols: 1, rows: n };
  if (orientation === "vertical") return { cols: n, rows: 1 };
  let best = { cols: 1, rows: n };
  let bestScore = -1;
  for (let cols = 1; cols <= n; cols++) {
    const rows = Math.ceil(n / cols);
    const [w, h] = [width / cols, height / rows];
    const score = Math.min(w / aspect, h) * (1 - 0.04 * (cols * rows - n));
    if (score > bestScore) {
      bestScore = score;
      best = { cols, rows };
    }
  }
  return best;
}

/* Values side by side are written in one size: that of the longest. */
export const longestText = (values: ShownValue[]): number => Math.max(1, ...values.map((v) => plain(v.shown).length));

/* Size of type that fits a text of so many characters into a box. */
export function fontFor(characters: number, width: number, height: number, max: number): number {
  return Math.max(11, Math.min(max, height, width / (Math.max(characters, 3) * 0.58)));
}
