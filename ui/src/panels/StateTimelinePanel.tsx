/* States over time: one row a series. Neighbours of one state are one bar, or (status history) one cell a time. */
import { useMemo, useState } from "react";
import { Floating, TipRow, type At } from "../charts/Floating";
import { TimeAxis } from "../charts/TimeAxis";
import { Empty } from "../components/States";
import { formatTime } from "../lib/time";
import { onPanel, textOn } from "../semantics/color";
import { timeField, type Field, type Frame } from "../semantics/frame";
import { plain } from "../semantics/units";
import { opt, type PanelProps } from "./types";

export interface Segment { from: number; to: number; value: unknown }

/* A null ends a bar; the last bar lasts one interval more, or to the end. */
export function segments(times: number[], values: unknown[], end: number, merge: boolean, interval?: number | null): Segment[] {
  const out: Segment[] = [];
  for (let i = 0; i < times.length; i++) {
    const v = values[i];
    const next = Math.min(times[i + 1] ?? end, interval ? times[i]! + interval * 1.5 : Infinity);
    if (v === null || v === undefined) continue;
    const last = out[out.length - 1];
    if (merge && last && last.value === v && last.to >= times[i]!) last.to = next;
    else out.push({ from: times[i]!, to: next, value: v });
  }
  return out;
}

interface Row { field: Field; name: string; parts: Segment[] }

function rowsOf(frames: Frame[], to: number, merge: boolean): Row[] {
  return frames.flatMap((f) => {
    const time = timeField(f);
    if (!time) return [];
    return f.fields.filter((x) => x !== time).map((field) => ({ field, name: field.state!.displayName, parts: segments(time.values as number[], field.values, to, merge, time.config.interval) }));
  });
}

export default function StateTimelinePanel(p: PanelProps) {
  const history = p.panel.type === "status-history";
  const rows = useMemo(() => rowsOf(p.frames, p.to, !history && opt(p.panel, "mergeValues", true)), [p.frames, p.panel, p.to, history]);
  const [tip, setTip] = useState<{ at: At; row: Row; part: Segment } | null>(null);
  if (!rows.length) return <Empty title="No states over time">The query's answer has no values with times.</Empty>;
  const left = Math.min(180, Math.max(40, ...rows.map((r) => r.name.length * 6.8 + 16)), p.width * 0.35);
  const width = p.width - left - 8;
  const legend = opt(p.panel, "legend.showLegend", true) && opt<string>(p.panel, "legend.displayMode", "list") !== "hidden";
  const states = legend ? [...new Map(rows.flatMap((r) => r.parts.map((s) => [plain(r.field.state!.display(s.value)), r.field.state!.display(s.value).color] as const))).entries()].slice(0, 24) : [];
  const show = opt<string>(p.panel, "showValue", "auto");
  const share = (t: number) => Math.min(Math.max((t - p.from) / (p.to - p.from), 0), 1);
  const fill = Math.max(0.2, Math.min(1, opt<number>({ options: p.panel.fieldConfig?.defaults?.custom }, "fillOpacity", 70) / 100));
  return (
    <div className="states">
      <div className="state-rows" style={{ gridAutoRows: `minmax(16px, ${Math.max(16, opt(p.panel, "rowHeight", 0.9) * 60)}px)` }}>
        {rows.map((r) => (
          <div key={r.name} className="state-row" style={{ gridTemplateColumns: `${left}px 1fr` }}>
            <span className="state-name" title={r.name}>
              {r.name}
            </span>
            <div className="state-track" role="img" aria-label={`${r.name}: now ${plain(r.field.state!.display(r.parts[r.parts.length - 1]?.value))}`} onMouseLeave={() => setTip(null)}>
              {r.parts.map((s) => {
                const [a, b] = [share(s.from), share(s.to)];
                if (b <= a) return null;
                const shown = r.field.state!.display(s.value);
                const text = plain(shown);
                const room = (b - a) * width;
                return (
                  <i
                    key={s.from}
                    style={{ left: `${a * 100}%`, width: `calc(${(b - a) * 100}% - ${history ? 2 : 1}px)`, background: onPanel(shown.color, fill, p.theme), color: textOn(onPanel(shown.color, fill, p.theme)) }}
                    onMouseMove={(e) => setTip({ at: { x: e.clientX, y: e.clientY }, row: r, part: s })}
                  >
                    {show === "always" || (show === "auto" && room > text.length * 7 + 8) ? text : ""}
                  </i>
                );
              })}
            </div>
          </div>
        ))}
      </div>
      <TimeAxis from={p.from} to={p.to} width={width} zone={p.zone} left={left} />
      {states.length > 0 && (
        <ul className="legend list bottom" aria-label="States">
          {states.map(([text, color]) => (
            <li key={text}>
              <span className="swatch" style={{ background: color, height: 10 }} />
              {text}
            </li>
          ))}
        </ul>
      )}
      {tip && (
        <Floating at={tip.at}>
          <time>
            {formatTime(tip.part.from, p.zone)} to {formatTime(tip.part.to, p.zone).slice(11)}
          </time>
          <TipRow color={tip.row.field.state!.display(tip.part.value).color} name={tip.row.name} value={plain(tip.row.field.state!.display(tip.part.value))} />
        </Floating>
      )}
    </div>
  );
}
