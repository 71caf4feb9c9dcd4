/* A value that components can watch. */
import { useSyncExternalStore } from "react";

export interface Store<T> {
  get: () => T;
  set: (next: T | ((now: T) => T)) => void;
  subscribe: (f: () => void) => () => void;
}

export function createStore<T>(first: T): Store<T> {
  let value = first;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next) => {
      const to = typeof next === "function" ? (next as (now: T) => T)(value) : next;
      if (Object.is(to, value)) return;
      value = to;
      for (const f of [...listeners]) f();
    },
    subscribe: (f) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
  };
}
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

/* What this browser remembers; private windows may refuse. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem("cairn." + key, value);
  } catch {
    /* it then lasts for this page */
  }
}
export function recall(key: string): string | null {
  try {
    return localStorage.getItem("cairn." + key);
  } catch {
    return null;
  }
}
