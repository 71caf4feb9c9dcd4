/* A panel's transformations, loaded only where a panel has some. */
import { useEffect, useState } from "react";
import type { Panel } from "../model/types";
import type { PanelData } from "../query/run";
import type { Frame } from "../semantics/frame";

export interface Transformed { frames: Frame[] | null; error: unknown }

export function useTransformed(panel: Panel, data: PanelData | null): Transformed {
  const steps = (panel.transformations ?? []).filter((t) => !t.disabled);
  const [state, setState] = useState<{ of: PanelData | null; out: Transformed }>({ of: null, out: { frames: null, error: null } });
  useEffect(() => {
    if (!data || !steps.length) return;
    let current = true;
    import("../transform/transform").then(
      (m) => {
        if (!current) return;
        try {
          setState({ of: data, out: { frames: m.transform(data.frames, steps), error: null } });
        } catch (error) {
          setState({ of: data, out: { frames: null, error } });
        }
      },
      (error: unknown) => current && setState({ of: data, out: { frames: null, error } }),
    );
    return () => {
      current = false;
    };
  }, [data, panel]);
  if (!steps.length) return { frames: data?.frames ?? null, error: null };
  return state.out;
}
