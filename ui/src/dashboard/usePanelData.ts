/* Runs a panel's queries when it is visible and its variables are known; again when the range or a value it uses
 * changes. Data of before stays until new data is there. */
import { useContext, useEffect, useMemo, useRef, useState } from "react";
import { panelEnded, panelStarted, type PanelEnd } from "../lib/marks";
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
  /* Set while this panel counts as pending. */
  const owed = useRef<number | null>(null);
  const settle = (how: PanelEnd) => {
    if (owed.current === null) return;
    panelEnded(owed.current, how);
    owed.current = null;
  };
  useEffect(() => () => settle("left"), []);

  /* What the data at hand answers: coming back into view asks nothing anew. */
  const answered = useRef<unknown[]>([]);

  useEffect(() => {
    if (!visible) return settle("left");
    const asks = [panel, values, page.range, page.turn, page.zone, again];
    if (ready && asks.every((x, i) => x === answered.current[i])) return;
    owed.current ??= panelStarted();
    if (!ready || latest.current.width < 1) return;
    const stop = new AbortController();
    setLoading(true);
    asking(1);
    let open = true;
    const end = () => {
      if (open) asking(-1);
      open = false;
    };
    runPanel(panel, { from: page.range.from, to: page.range.to, width: Math.max(100, latest.current.width), zone: page.zone, lookup: latest.current.lookup, signal: stop.signal })
      .catch((error: unknown): PanelData => ({ frames: [], errors: [{ refId: "", error }], notices: [], asked: [], from: page.range.from, to: page.range.to }))
      .then((d) => {
        if (stop.signal.aborted) return;
        setData(d);
        setLoading(false);
        answered.current = asks;
        if (d.errors.length && !d.frames.length) settle("failed");
      })
      .finally(end);
    return () => {
      stop.abort();
      end();
    };
  }, [panel, visible, ready, width < 1, values, page.range, page.turn, page.zone, again]);

  const painted = () => {
    if (!loading) settle("painted");
  };
  return { data, loading, lookup, retry: () => setAgain((n) => n + 1), painted };
}
