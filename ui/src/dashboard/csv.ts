/* A frame as comma-separated values; times in UTC. */
import { formatTime } from "../lib/time";
import type { Frame } from "../semantics/frame";

export function csvOf(frame: Frame, names: string[]): string {
  const cell = (v: unknown) => {
    const t = v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v);
    return /[",\n]/.test(t) ? `"${t.replace(/"/g, '""')}"` : t;
  };
  const rows = Array.from({ length: frame.length }, (_, i) => frame.fields.map((f) => cell(f.type === "time" ? formatTime(f.values[i] as number, "utc", true) : f.values[i])).join(","));
  return [names.map(cell).join(","), ...rows].join("\n") + "\n";
}
