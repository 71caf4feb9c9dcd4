/* Frames as a table: sorted by a click, drawn a window at a time. */
import { useMemo, useRef, useState, type CSSProperties, type ReactNode } from "react";
import { Empty } from "../components/States";
import type { Theme } from "../lib/theme";
import { textColor, textOn } from "../semantics/color";
import type { Field, Frame } from "../semantics/frame";
import { reduce, reducerName } from "../semantics/reducers";
import { plain } from "../semantics/units";
import { safeUrl } from "../lib/target";
import { sparkPath } from "./StatPanel";
import { dig, opt, type PanelProps } from "./types";

interface CellOptions { type?: string; mode?: string; applyToRow?: boolean }
const custom = <T,>(f: Field, path: string, fallback: T): T => dig(f.config.custom, path, fallback);
const rowHeights: Record<string, number> = { sm: 28, md: 36, lg: 48 };
const isHidden = (f: Field) => custom(f, "hidden", false) || custom(f, "hideFrom.viz", false);

function compare(a: unknown, b: unknown): number {
  if (a === null || a === undefined || a !== a) return b === null || b === undefined || b !== b ? 0 : -1;
  if (b === null || b === undefined || b !== b) return 1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}

function cellOptions(f: Field): CellOptions {
  const o = custom<CellOptions | null>(f, "cellOptions", null);
  if (o) return o;
  /* before schema 36 */
  const old = custom<string>(f, "displayMode", "auto");
  if (old.startsWith("color-background")) return { type: "color-background", mode: old.endsWith("solid") ? "basic" : "gradient" };
  if (old === "lcd-gauge" || old === "gradient-gauge" || old === "basic") return { type: "gauge" };
  return { type: old };
}

function Cell({ field, row }: { field: Field; row: number }): ReactNode {
  const value = field.values[row];
  const shown = field.state!.display(value);
  const o = cellOptions(field);
  if (o.type === "gauge" && field.type === "number") {
    const share = Math.min(Math.max(shown.percent || 0, 0), 1);
    return (
      <span className="cell-gauge">
        <span className="bar-track" style={{ background: "var(--gauge-track)" }}>
          <span className="bar-fill" style={{ width: `${share * 100}%`, background: shown.color, height: "100%" }} />
        </span>
        <span className="num">{plain(shown)}</span>
      </span>
    );
  }
  if (o.type === "sparkline" && value && typeof value === "object") {
    const inner = (value as Frame).fields?.find((f) => f.type === "number");
    const path = inner && sparkPath(inner.values, [], 120, 20);
    return path ? (
      <svg width="120" height="20" aria-label="trend">
        <path d={path.line} fill="none" stroke={field.state!.color} strokeWidth="1.5" />
      </svg>
    ) : null;
  }
  const link = field.config.links?.[0];
  const text = plain(shown);
  if (link && text) {
    const url = safeUrl(link.url.replace(/\$\{__value\.(raw|text)\}/g, (_, k: string) => encodeURIComponent(k === "raw" ? String(value) : text)));
    if (url)
      return (
        <a href={url} target={link.targetBlank ? "_blank" : undefined} rel="noreferrer" title={link.title}>
          {text}
        </a>
      );
  }
  return text;
}

function cellStyle(field: Field, row: number, theme: Theme): CSSProperties {
  const o = cellOptions(field);
  const align = custom<string>(field, "align", "auto");
  const style: CSSProperties = { textAlign: align !== "auto" ? (align as CSSProperties["textAlign"]) : field.type === "number" ? "right" : "left" };
  if (o.type === "color-text") style.color = textColor(field.state!.display(field.values[row]).color, theme);
  if (o.type === "color-background") {
    const color = field.state!.display(field.values[row]).color;
    style.background = o.mode === "basic" ? color : `linear-gradient(120deg, ${color}, color-mix(in srgb, ${color} 75%, transparent))`;
    style.color = textOn(color);
  }
  return style;
}

function frameLabel(f: Frame, i: number): string {
  return f.name || f.fields.find((x) => x.type === "number")?.state?.displayName || f.refId || `Table ${i + 1}`;
}

export default function TablePanel(p: PanelProps) {
  const [picked, setPicked] = useState(opt(p.panel, "frameIndex", 0));
  const first = opt<{ displayName: string; desc?: boolean }[]>(p.panel, "sortBy", [])[0];
  const [sort, setSort] = useState<{ by: string; desc: boolean } | null>(first ? { by: first.displayName, desc: !!first.desc } : null);
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const frame = p.frames[Math.min(picked, p.frames.length - 1)];
  const fields = useMemo(() => frame?.fields.filter((f) => !isHidden(f)) ?? [], [frame]);
  const order = useMemo(() => {
    const rows = Array.from({ length: frame?.length ?? 0 }, (_, i) => i);
    const by = sort && fields.find((f) => f.state!.displayName === sort.by);
    return by ? rows.sort((a, b) => compare(by.values[a], by.values[b]) * (sort.desc ? -1 : 1)) : rows;
  }, [frame, fields, sort]);
  if (!frame || !fields.length) return <Empty title="No data" />;

  const rowHeight = rowHeights[opt<string>(p.panel, "cellHeight", "sm")] ?? 28;
  const start = Math.max(0, Math.floor(top / rowHeight) - 8);
  const end = Math.min(order.length, start + Math.ceil(p.height / rowHeight) + 16);
  const footer = opt<{ show?: boolean; reducer?: string[]; fields?: string[]; countRows?: boolean }>(p.panel, "footer", {});
  const reducer = footer.reducer?.[0] ?? "sum";
  return (
    <div className="table-panel">
      <div
        className="table-scroll"
        ref={box}
        tabIndex={0}
        aria-label={`${p.panel.title || "Table"}, ${order.length} rows`}
        role="region"
        onScroll={(e) => setTop(e.currentTarget.scrollTop)}
      >
        <table className="data">
          <colgroup>
            {fields.map((f, i) => (
              <col key={i} style={{ width: custom<number | undefined>(f, "width", undefined), minWidth: custom<number>(f, "minWidth", 80) }} />
            ))}
          </colgroup>
          {opt(p.panel, "showHeader", true) && (
            <thead>
              <tr>
                {fields.map((f, i) => {
                  const name = f.state!.displayName;
                  const on = sort?.by === name;
                  return (
                    <th key={i} style={{ textAlign: cellStyle(f, 0, p.theme).textAlign }} aria-sort={on ? (sort.desc ? "descending" : "ascending") : undefined}>
                      <button type="button" onClick={() => setSort(!on ? { by: name, desc: false } : sort.desc ? null : { by: name, desc: true })} title={name}>
                        {name}
                        {on ? (sort.desc ? " ↓" : " ↑") : ""}
                      </button>
                    </th>
                  );
                })}
              </tr>
            </thead>
          )}
          <tbody>
            {start > 0 && <tr style={{ height: start * rowHeight }} />}
            {order.slice(start, end).map((row) => (
              <tr key={row} style={{ height: rowHeight }}>
                {fields.map((f, i) => (
                  <td key={i} style={cellStyle(f, row, p.theme)} title={custom(f, "inspect", false) ? plain(f.state!.display(f.values[row])) : undefined}>
                    <Cell field={f} row={row} />
                  </td>
                ))}
              </tr>
            ))}
            {end < order.length && <tr style={{ height: (order.length - end) * rowHeight }} />}
          </tbody>
          {footer.show && (
            <tfoot>
              <tr>
                {fields.map((f, i) => (
                  <td key={i} style={{ textAlign: cellStyle(f, 0, p.theme).textAlign }}>
                    {footer.countRows ? (i === 0 ? `${order.length} rows` : "") : f.type === "number" && (!footer.fields?.length || footer.fields.includes(f.state!.displayName)) ? plain(f.state!.display(reduce(reducer, f.values))) : i === 0 ? reducerName(reducer) : ""}
                  </td>
                ))}
              </tr>
            </tfoot>
          )}
        </table>
      </div>
      {p.frames.length > 1 && (
        <label className="frame-pick">
          <span className="sr">Which result</span>
          <select className="input" value={Math.min(picked, p.frames.length - 1)} onChange={(e) => setPicked(+e.target.value)}>
            {p.frames.map((f, i) => (
              <option key={i} value={i}>
                {frameLabel(f, i)}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}
