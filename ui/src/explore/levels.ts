/* The level of a log line: from its labels, else from its text. Pure. */
import type { LogLine } from "../api/loki";

export type Level = "critical" | "error" | "warning" | "info" | "debug" | "trace" | "unknown";
export const levels: Level[] = ["critical", "error", "warning", "info", "debug", "trace", "unknown"];

const words: Record<string, Level> = {
  emerg: "critical", emergency: "critical", fatal: "critical", alert: "critical", crit: "critical", critical: "critical", panic: "critical",
  err: "error", eror: "error", error: "error",
  warn: "warning", warning: "warning",
  info: "info", information: "info", informational: "info", notice: "info",
  dbug: "debug", debug: "debug",
  trace: "trace", trc: "trace",
};

export function levelOfWord(word: string | undefined): Level | null {
  return word ? (words[word.toLowerCase()] ?? null) : null;
}

const field = /(?:^|[\s,{"'])(?:level|lvl|severity)"?\s*[=:]\s*"?([A-Za-z]+)/i;
const bare = /(?:^|[^A-Za-z0-9_/-])(EMERG(?:ENCY)?|FATAL|ALERT|CRIT(?:ICAL)?|PANIC|ERR(?:OR)?|WARN(?:ING)?|INFO|NOTICE|DEBUG|TRACE)(?![A-Za-z0-9_/-])/;
const lower = /(?:^|[\s[(<])(fatal|critical|error|warning|warn|info|debug|trace)(?=[\s\])>:,]|$)/;

export function levelOf(l: LogLine): Level {
  const label = l.labels.level ?? l.metadata.level ?? l.parsed.level ?? l.metadata.detected_level ?? l.labels.detected_level ?? l.parsed.detected_level ?? l.labels.severity;
  const named = levelOfWord(label);
  if (named) return named;
  const head = l.line.slice(0, 300);
  return levelOfWord(field.exec(head)?.[1]) ?? levelOfWord(bare.exec(head)?.[1]) ?? levelOfWord(lower.exec(head)?.[1]) ?? "unknown";
}

export const levelColor = (l: Level) => `--lvl-${l}`;

/* Lines as columns of a histogram: how many of each level fall into each bucket. */
export interface Volume { times: number[]; counts: Partial<Record<Level, number[]>> }
export function countLines(lines: LogLine[], from: number, to: number, step: number): Volume {
  const first = Math.floor(from / step) * step;
  const n = Math.max(1, Math.ceil((to - first) / step));
  const counts: Partial<Record<Level, number[]>> = {};
  for (const l of lines) {
    const at = Math.floor((l.time - first) / step);
    if (at >= 0 && at < n) (counts[levelOf(l)] ??= new Array<number>(n).fill(0))[at]!++;
  }
  return { times: Array.from({ length: n }, (_, i) => first + i * step), counts };
}
