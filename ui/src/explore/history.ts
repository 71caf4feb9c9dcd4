/* What was asked before, newest first; starred queries stay. Kept in this browser. */
import { recall, remember } from "../lib/store";

export interface Asked { source: string; expr: string; at: number; star?: boolean }
const key = "explore.history";
const most = 200;

export function asked(): Asked[] {
  try {
    const list = JSON.parse(recall(key) ?? "[]") as Asked[];
    return Array.isArray(list) ? list.filter((a) => typeof a?.expr === "string" && typeof a.source === "string") : [];
  } catch {
    return [];
  }
}

/* The list with the query in front; one entry a source and text. The oldest without a star go first. */
export function withAsked(list: Asked[], source: string, expr: string, at: number): Asked[] {
  const same = (a: Asked) => a.source === source && a.expr === expr;
  const star = list.find(same)?.star;
  const next = [{ source, expr, at, ...(star && { star }) }, ...list.filter((a) => !same(a))];
  if (next.length <= most) return next;
  let old = next.length - 1;
  while (old > 0 && next[old]!.star) old--;
  return next.filter((_, i) => i !== (old || next.length - 1));
}

export function noteAsked(source: string, expr: string): void {
  if (expr.trim()) remember(key, JSON.stringify(withAsked(asked(), source, expr, Date.now())));
}
export function setStar(source: string, expr: string, star: boolean): Asked[] {
  const list = asked().map((a) => (a.source === source && a.expr === expr ? { ...a, star } : a));
  remember(key, JSON.stringify(list));
  return list;
}
