/* The legend of a chart: a list, or a table with calculations. A click shows one series alone, with ctrl or shift it
 * hides or shows one. */
import type { KeyboardEvent, MouseEvent } from "react";
import { plain } from "../semantics/units";
import type { Shown } from "../semantics/display";

export interface LegendItem { label: string; color: string; hidden: boolean; values: { name: string; shown: Shown }[] }
export interface LegendSort { by: string; desc: boolean }
interface Props {
  items: LegendItem[];
  mode: "list" | "table";
  placement: "bottom" | "right";
  sort: LegendSort | null;
  onSort?: (by: string) => void;
  onToggle: (label: string, alone: boolean) => void;
}

export function sortItems(items: LegendItem[], sort: LegendSort | null): LegendItem[] {
  if (!sort) return items;
  const value = (i: LegendItem) => (sort.by === "Name" ? i.label : (i.values.find((v) => v.name.toLowerCase() === sort.by.toLowerCase())?.shown.numeric ?? NaN));
  return [...items].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const order = typeof x === "string" ? x.localeCompare(String(y), undefined, { numeric: true }) : x !== x ? (y !== y ? 0 : -1) : y !== y ? 1 : x - (y as number);
    return sort.desc ? -order : order;
  });
}

export function Legend({ items, mode, placement, sort, onSort, onToggle }: Props) {
  const sorted = sortItems(items, sort);
  const act = (i: LegendItem) => ({
    onClick: (e: MouseEvent) => onToggle(i.label, !(e.ctrlKey || e.metaKey || e.shiftKey)),
    onKeyDown: (e: KeyboardEvent) => {
      if (e.key === " " && e.shiftKey) {
        e.preventDefault();
        onToggle(i.label, false);
      }
    },
  });
  const name = (i: LegendItem) => (
    <button type="button" className={"legend-name" + (i.hidden ? " off" : "")} aria-pressed={!i.hidden} title={`${i.label}\nClick: only this. Ctrl or Shift and click: hide or show.`} {...act(i)}>
      <span className="swatch" style={{ background: i.color }} />
      <span className="text">{i.label}</span>
    </button>
  );
  if (mode === "list")
    return (
      <ul className={`legend list ${placement}`} aria-label="Series">
        {sorted.map((i) => (
          <li key={i.label}>
            {name(i)}
            {i.values.map((v) => (
              <span key={v.name} className="legend-val">
                {v.name}: <b>{plain(v.shown)}</b>
              </span>
            ))}
          </li>
        ))}
      </ul>
    );
  const heads = sorted[0]?.values.map((v) => v.name) ?? [];
  const head = (text: string, cls: string) => (
    <th key={text} className={cls} aria-sort={sort?.by.toLowerCase() === text.toLowerCase() ? (sort.desc ? "descending" : "ascending") : undefined}>
      <button type="button" onClick={() => onSort?.(text)}>
        {text}
        {sort?.by.toLowerCase() === text.toLowerCase() ? (sort.desc ? " ↓" : " ↑") : ""}
      </button>
    </th>
  );
  return (
    <div className={`legend table ${placement}`}>
      <table>
        <thead>
          <tr>
            {head("Name", "first")}
            {heads.map((h) => head(h, "num"))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((i) => (
            <tr key={i.label}>
              <td>{name(i)}</td>
              {i.values.map((v) => (
                <td key={v.name} className="num">
                  {plain(v.shown)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
