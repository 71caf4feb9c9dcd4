/* Runs a panel's queries when it is visible and its variables are known; again when the range or a value it uses
 * changes. Data of before stays until new data is there. */
import { useContext, useEffect, useMemo, useRef, useState } from "react";
import { panelEnded, panelStarted } from "../lib/marks";
import { variablesIn, type Lookup } from "../model/interpolate";
import type { ScopedValue } from "../model/layout";
import type { Panel } from "../model/types";
import { valueOf } from "../model/variables";
import { runPanel, type PanelData } from "../query/run";
import { Page } from "./context";
import { asking } from "./useLoading";
import { usable } from "./variable_set";

export interface PanelRun { data: PanelData | null; loading: boolean; lookup: Lookup; retry: () => void; painted: () => void }

export function usePanelData(panel: Panel, scope: Record<string, ScopedValue>, visible: boolean, width: number): PanelRun {
  const page = useContext(Page)!;
  const [data, setData] = useState<PanelData | null>(null);
  const [loading, setLoading] = useState(false);
  const [again, setAgain] = useState(0);
  const names = useMemo(() => new Set(variablesIn(JSON.stringify(panel))), [panel]);
  const used = page.variables.filter((v) => names.has(v.model.name) && !scope[v.model.name]);
  const ready = used.every(usable);
  const values = JSON.stringify([used.map((v) => [v.model.name, valueOf(v).value]), scope]);
  const lookup = useMemo<Lookup>(
    () => (name) => {
      const own = scope[name];
      return own ? { value: own.value, text: own.text } : page.lookup(name);
    },
    [values, page.lookup],
  );
  const latest = useRef({ width, lookup });
  latest.current = { width, lookup };
  const owed = useRef(0);

  useEffect(() => {
    if (!visible) return;
    owed.current++;
    panelStarted();
    const settle = (ok: boolean) => {
      if (owed.current > 0) {
        owed.current--;
        panelEnded(ok);
      }
    };
    if (!ready || latest.current.width < 1) return () => settle(true);
    const stop = new AbortController();
    setLoading(true);
    asking(1);
    let open = true;
    const end = () => {
      if (open) asking(-1);
      open = false;
    };
    runPanel(panel, { from: page.range.from, to: page.range.to, width: Math.max(100, latest.current.width), zone: page.zone, lookup: latest.current.lookup, signal: stop.signal })
      .then((d) => {
        if (stop.signal.aborted) return;
        setData(d);
        setLoading(false);
        if (d.errors.length && !d.frames.length) settle(false);
      })
      .catch((error: unknown) => {
        if (stop.signal.aborted) return;
        setData({ frames: [], errors: [{ refId: "", error }], notices: [], asked: [], from: page.range.from, to: page.range.to });
        setLoading(false);
        settle(false);
      })
      .finally(end);
    return () => {
      stop.abort();
      end();
      settle(true);
    };
  }, [panel, visible, ready, width < 1, values, page.range, page.turn, page.zone, again]);

  const painted = () => {
    while (owed.current > 0) {
      owed.current--;
      panelEnded(true);
    }
  };
  return { data, loading, lookup, retry: () => setAgain((n) => n + 1), painted };
}
