/* The level of a log line: what a label says, else the first level word of the line. */
export type Level = "critical" | "error" | "warning" | "info" | "debug" | "trace" | "unknown";

const words: Record<string, Level> = {
  emerg: "critical", emergency: "critical", fatal: "critical", alert: "critical", crit: "critical", critical: "critical", panic: "critical",
  err: "error", eror: "error", error: "error", warn: "warning", warning: "warning", info: "info", information: "info", informational: "info", notice: "info",
  dbug: "debug", debug: "debug", trace: "trace",
};
const inLine = /\b(emerg(?:ency)?|fatal|alert|crit(?:ical)?|panic|err(?:or)?|warn(?:ing)?|info(?:rmation(?:al)?)?|notice|dbug|debug|trace)\b/i;

export function levelOf(line: string, ...labels: Record<string, string>[]): Level {
  for (const set of labels)
    for (const key of ["level", "detected_level", "severity", "lvl", "loglevel", "severity_text"]) {
      const hit = set[key] && words[set[key].toLowerCase()];
      if (hit) return hit;
    }
  const m = inLine.exec(line.length > 500 ? line.slice(0, 500) : line);
  return m ? words[m[1]!.toLowerCase()]! : "unknown";
}
