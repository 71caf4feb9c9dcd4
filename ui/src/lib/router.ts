/* Addresses and history: a path, its query, and links that do not reload the page. */
import { useSyncExternalStore } from "react";
import { basePath } from "../api/http";

const listeners = new Set<() => void>();
function emit(): void {
  for (const f of [...listeners]) f();
}
window.addEventListener("popstate", emit);

export function subscribe(f: () => void): () => void {
  listeners.add(f);
  return () => listeners.delete(f);
}
function snapshot(): string {
  return location.pathname + location.search;
}

export interface Place { path: string; query: URLSearchParams }
export function place(): Place {
  const b = basePath();
  const p = location.pathname.startsWith(b) ? location.pathname.slice(b.length) : location.pathname;
  return { path: p.replace(/\/+$/, "") || "/", query: new URLSearchParams(location.search) };
}

export function usePlace(): Place {
  useSyncExternalStore(subscribe, snapshot);
  return place();
}

export function navigate(to: string, replace = false): void {
  const url = basePath() + to;
  if (url === snapshot()) return;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  emit();
}

/* Writes query parameters of the current page; null removes one. */
export function setQuery(changes: Record<string, string | string[] | null>, replace = true): void {
  const { path, query } = place();
  for (const [k, v] of Object.entries(changes)) {
    query.delete(k);
    if (Array.isArray(v)) for (const one of v) query.append(k, one);
    else if (v !== null) query.set(k, v);
  }
  const q = query.toString();
  navigate(path + (q ? "?" + q : ""), replace);
}
