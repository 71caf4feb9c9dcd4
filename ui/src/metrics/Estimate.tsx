/* What a query is about to cost, before it is run: how many series its selectors match, times the steps. */
import { useEffect, useState } from "react";
import { parser } from "@prometheus-io/lezer-promql";
import { promHere } from "../api/prom";
import { maskVariables } from "../editors/variables";

const seriesMax = 20_000;
const waitMs = 500;

/* The selectors of a query, and how much of the past each looks at a step; null when the query is not whole. Pure. */
export function selectorsOf(expr: string): string[] | null {
  const { text } = maskVariables(expr);
  const found: string[] = [];
  let broken = false;
  parser.parse(text).iterate({
    enter(n) {
      if (n.type.isError) broken = true;
      if (n.name === "VectorSelector") found.push(expr.slice(n.from, n.to));
    },
  });
  return broken || !text.trim() ? null : [...new Set(found)];
}

export function Estimate({ expr, span, steps }: { expr: string; span: { from: number; to: number }; steps: number }) {
  const [counts, setCounts] = useState<{ expr: string; counts: number[] } | null>(null);
  useEffect(() => {
    const selectors = selectorsOf(expr);
    if (!selectors?.length) {
      setCounts(null);
      return;
    }
    const stop = new AbortController();
    const t = setTimeout(() => {
      Promise.all(selectors.map((s) => promHere.series([s], { start: span.from, end: span.to, limit: seriesMax }, stop.signal)))
        .then((all) => setCounts({ expr, counts: all.map((s) => s.length) }))
        .catch(() => setCounts(null));
    }, waitMs);
    return () => {
      clearTimeout(t);
      stop.abort();
    };
    // the range moves with the clock; the query is what matters
    // eslint-disable-next-line
  }, [expr]);
  if (!counts || counts.expr !== expr) return <p className="cost estimate">{expr.trim() ? " " : "Series and steps are counted here before you run a query."}</p>;
  const total = counts.counts.reduce((a, b) => a + b, 0);
  const more = counts.counts.some((n) => n >= seriesMax);
  return (
    <p className="cost estimate">
      <span>
        Will look at {total.toLocaleString("en")}
        {more && "+"} series {counts.counts.length > 1 && `of ${counts.counts.length} selectors `}in {steps.toLocaleString("en")} step{steps === 1 ? "" : "s"}: {(total * steps).toLocaleString("en")}
        {more && "+"} points.
      </span>
      {total === 0 && <span>No series matches: the answer will be empty.</span>}
    </p>
  );
}
