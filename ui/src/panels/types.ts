/* What a panel component gets. Frames have their field configuration applied (units, names, colours, displays). */
import type { ComponentType, LazyExoticComponent } from "react";
import type { Panel } from "../model/types";
import type { Theme } from "../lib/theme";
import type { Zone } from "../lib/zone";
import type { Frame } from "../semantics/frame";

export interface PanelProps {
  panel: Panel;
  frames: Frame[];
  width: number;
  height: number;
  from: number;
  to: number;
  zone: Zone;
  theme: Theme;
  /* 0 own crosshair, 1 shared crosshair, 2 shared tooltip */
  graphTooltip: number;
  replace: (text: string, scope?: Record<string, string>) => string;
  onZoom?: (from: number, to: number) => void;
}

export interface PanelType {
  name: string;
  component: ComponentType<PanelProps> | LazyExoticComponent<ComponentType<PanelProps>>;
  /* shows something without data */
  static?: boolean;
}

/* A panel's own option by path, with a default: opt(panel, "legend.placement", "bottom"). */
export function opt<T>(from: { options?: Record<string, unknown> }, path: string, fallback: T): T {
  return dig(from.options, path, fallback);
}
export function dig<T>(from: unknown, path: string, fallback: T): T {
  let at = from;
  for (const key of path.split(".")) {
    if (at === null || typeof at !== "object") return fallback;
    at = (at as Record<string, unknown>)[key];
  }
  return at === undefined || at === null ? fallback : (at as T);
}
