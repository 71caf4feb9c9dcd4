/* Dark or light: the operating system's choice until the user makes one. */
import { useSyncExternalStore } from "react";

export type Theme = "dark" | "light";
const listeners = new Set<() => void>();

export function theme(): Theme {
  return document.documentElement.dataset.theme === "light" ? "light" : "dark";
}
export function setTheme(t: Theme): void {
  document.documentElement.dataset.theme = t;
  try {
    localStorage.setItem("cairn.theme", t);
  } catch {
    /* private windows may refuse; the choice then lasts for this page */
  }
  for (const f of [...listeners]) f();
}
export function useTheme(): Theme {
  return useSyncExternalStore((f) => {
    listeners.add(f);
    return () => listeners.delete(f);
  }, theme);
}
/* A token's value, for canvas drawing. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
