/* How many panels are asking right now, for the refresh button. */
import { createStore } from "../lib/store";

export const loadingPanels = createStore(0);
export function asking(by: 1 | -1): void {
  loadingPanels.set((n) => n + by);
}
