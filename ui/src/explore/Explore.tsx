/* Explore: one or two panes side by side, all of it in the address. */
import "./explore.css";
import { useCallback, useEffect, useMemo } from "react";
import { dataSources } from "../boot";
import { Bar } from "../components/Bar";
import { navigate, usePlace } from "../lib/router";
import { Pane } from "./Pane";
import { emptyPane, parseState, stateQuery, type PaneState } from "./state";

export default function Explore() {
  const { query } = usePlace();
  const text = query.toString();
  const state = useMemo(() => parseState(new URLSearchParams(text)), [text]);
  const { panes } = state;
  useEffect(() => {
    document.title = "Explore - Cairn";
  }, []);
  const show = useCallback((next: PaneState[]) => navigate("/explore?" + stateQuery({ panes: next })), []);
  return (
    <>
      <Bar />
      <main className="explore">
        <h1 className="sr">Explore</h1>
        <div className={"panes" + (panes.length > 1 ? " two" : "")}>
          {panes.map((p, i) => (
            <Pane
              key={i}
              name={panes.length > 1 ? (i ? "Right side" : "Left side") : "Explore"}
              pane={p}
              onPane={(next) => show(panes.map((x, k) => (k === i ? next : x)))}
              {...(panes.length < 2 && { onSplit: () => show([p, { ...emptyPane(other(p.datasource)), range: p.range }]) })}
              {...(panes.length > 1 && { onClose: () => show(panes.filter((_, k) => k !== i)) })}
            />
          ))}
        </div>
      </main>
    </>
  );
}

/* The second side starts with the other kind of source: numbers beside lines. */
function other(source: string): string {
  const all = dataSources();
  const now = all.find((d) => d.uid === source || d.name === source) ?? all[0];
  return (all.find((d) => d.type !== now?.type) ?? now)?.uid ?? "";
}
