/* What panels on one page share. */
import { createContext } from "react";
import type { Lookup } from "../model/interpolate";
import type { VariableState } from "../model/variables";
import type { TimeRange } from "../lib/time";
import type { Theme } from "../lib/theme";
import type { Zone } from "../lib/zone";

export interface PageState {
  uid: string;
  title: string;
  range: TimeRange;
  zone: Zone;
  theme: Theme;
  graphTooltip: number;
  variables: VariableState[];
  lookup: Lookup;
  /* counts up when the same range is to be asked again */
  turn: number;
  zoom: (from: number, to: number) => void;
}
export const Page = createContext<PageState | null>(null);
