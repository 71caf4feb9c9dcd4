/* Where panels stand: a grid of 24 columns, split into sections by rows. Gaps close upwards, as in Grafana. */
import type { GridPos, Panel } from "./types";

export const columns = 24;
export const cellHeight = 30;
export const gap = 8;
export const pixelHeight = (h: number) => h * (cellHeight + gap) - gap;

export interface Placed { panel: Panel; key: string; pos: GridPos; scope: Record<string, ScopedValue> }
export interface ScopedValue { value: string; text: string }
export interface Section { row: Panel | null; key: string; collapsed: boolean; scope: Record<string, ScopedValue>; items: Placed[]; height: number }

export type RepeatValues = (variable: string) => ScopedValue[];
/* Files are written by hand too: what is no sensible number gets the default. */
const within = (v: unknown, lo: number, hi: number, otherwise: number) => (typeof v === "number" && Number.isFinite(v) ? Math.min(Math.max(Math.round(v), lo), hi) : otherwise);
const heightMax = 400;
const posOf = (p: Panel): GridPos => ({ x: within(p.gridPos?.x, 0, columns - 1, 0), y: within(p.gridPos?.y, 0, 1e6, 0), w: within(p.gridPos?.w, 1, columns, 12), h: within(p.gridPos?.h, 1, heightMax, 8) });

/* Sections in reading order. toggled: rows whose collapsed state the reader changed. */
export function layout(panels: Panel[], toggled: Record<string, boolean>, repeats: RepeatValues): Section[] {
  const ordered = panels.map((panel, i) => ({ panel, i })).sort((a, b) => posOf(a.panel).y - posOf(b.panel).y || posOf(a.panel).x - posOf(b.panel).x || a.i - b.i).map((o) => o.panel);
  const raw: { row: Panel | null; panels: Panel[] }[] = [{ row: null, panels: [] }];
  for (const p of ordered) {
    if (p.type === "row") raw.push({ row: p, panels: [...(p.panels ?? [])] });
    else raw[raw.length - 1]!.panels.push(p);
  }
  const out: Section[] = [];
  for (const s of raw) {
    if (!s.row && !s.panels.length) continue;
    const copies = s.row?.repeat ? repeats(s.row.repeat) : [];
    const scopes: Record<string, ScopedValue>[] = copies.length ? copies.map((v) => ({ [s.row!.repeat!]: v })) : [{}];
    scopes.forEach((scope, n) => {
      const key = s.row ? `row-${s.row.id ?? s.row.title}${n ? "-" + n : ""}` : "top";
      const collapsed = s.row ? (toggled[key] ?? s.row.collapsed ?? false) : false;
      const items = collapsed ? [] : place(s.panels, scope, key, repeats);
      out.push({ row: s.row, key, collapsed, scope, items, height: items.reduce((h, i) => Math.max(h, i.pos.y + i.pos.h), 0) });
    });
  }
  return out;
}

function place(panels: Panel[], scope: Record<string, ScopedValue>, section: string, repeats: RepeatValues): Placed[] {
  const items: Placed[] = [];
  const base = Math.min(...panels.map((p) => posOf(p).y));
  let pushed = 0;
  const ordered = [...panels].sort((a, b) => posOf(a).y - posOf(b).y || posOf(a).x - posOf(b).x);
  for (const panel of ordered) {
    const pos = posOf(panel);
    pos.y += pushed - base;
    const values = panel.repeat && !scope[panel.repeat] ? repeats(panel.repeat) : [];
    if (!values.length) {
      items.push({ panel, key: `${section}/${panel.id}`, pos, scope });
      continue;
    }
    const across = panel.repeatDirection === "v" ? 1 : Math.min(panel.maxPerRow || 4, values.length);
    const w = panel.repeatDirection === "v" ? pos.w : Math.floor(columns / across);
    values.forEach((v, n) =>
      items.push({
        panel,
        key: `${section}/${panel.id}/${v.value}`,
        pos: { x: panel.repeatDirection === "v" ? pos.x : (n % across) * w, y: pos.y + Math.floor(n / across) * pos.h, w, h: pos.h },
        scope: { ...scope, [panel.repeat!]: v },
      }),
    );
    pushed += (Math.ceil(values.length / across) - 1) * pos.h;
  }
  return compact(items);
}

const overlap = (a: GridPos, b: GridPos) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/* Each panel moves up until it touches another; one that lies on another moves down. */
export function compact(items: Placed[]): Placed[] {
  const done: Placed[] = [];
  for (const item of [...items].sort((a, b) => a.pos.y - b.pos.y || a.pos.x - b.pos.x)) {
    const pos = { ...item.pos, x: Math.max(0, Math.min(item.pos.x, columns - item.pos.w)) };
    const beside = done.filter((d) => d.pos.x < pos.x + pos.w && pos.x < d.pos.x + d.pos.w);
    if (!beside.some((d) => overlap(d.pos, pos))) pos.y = Math.max(0, ...beside.filter((d) => d.pos.y + d.pos.h <= pos.y).map((d) => d.pos.y + d.pos.h));
    for (let hit = done.find((d) => overlap(d.pos, pos)); hit; hit = done.find((d) => overlap(d.pos, pos))) pos.y = hit.pos.y + hit.pos.h;
    done.push({ ...item, pos });
  }
  return done;
}

/* Every panel of the file, those in collapsed rows too. */
export function allPanels(panels: Panel[]): Panel[] {
  return panels.flatMap((p) => (p.type === "row" ? (p.panels ?? []) : [p]));
}
