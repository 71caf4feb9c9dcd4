/* Key sequences ("d r", "t z", "Escape", "mod+k"). Not while someone writes. */
import { useEffect, useRef } from "react";

export type KeyMap = Record<string, ((e: KeyboardEvent) => void) | undefined>;

function isWriting(e: KeyboardEvent): boolean {
  const el = e.target as HTMLElement | null;
  return !!el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));
}
const nameOf = (e: KeyboardEvent) => (e.ctrlKey || e.metaKey ? "mod+" : "") + (e.key.length === 1 ? e.key.toLowerCase() : e.key);

export function useKeys(map: KeyMap): void {
  const now = useRef(map);
  now.current = map;
  useEffect(() => {
    let before = "";
    let at = 0;
    const press = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.altKey || document.querySelector("dialog[open]") || (isWriting(e) && e.key !== "Escape")) return;
      const key = nameOf(e);
      if (Date.now() - at > 1000) before = "";
      at = Date.now();
      const both = before ? `${before} ${key}` : "";
      const act = (both && now.current[both]) || now.current[key];
      before = act ? "" : key;
      if (!act) return;
      e.preventDefault();
      act(e);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
