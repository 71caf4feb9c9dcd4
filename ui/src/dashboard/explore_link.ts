/* The address of Explore with a panel's queries, range and variables filled in. */
import { interpolate, queryFormat, type Lookup } from "../model/interpolate";
import { resolveSource } from "../model/variable_sources";
import type { Panel } from "../model/types";
import { queryBuiltins, withBuiltins } from "../query/run";
import type { RawRange } from "../lib/time";

/* $__interval and its kin stay, since Explore knows them too. */
const kept = ["__interval", "__interval_ms", "__rate_interval", "__rate_interval_ms", "__range", "__range_s", "__range_ms", "__auto"];

export function exploreLink(panel: Panel, lookup: Lookup, raw: RawRange): string | null {
  const targets = (panel.targets ?? []).filter((t) => !t.hide && t.expr);
  if (!targets.length) return null;
  const names = queryBuiltins({ step: 0, interval: 0, rateInterval: 0 }, 0, 0);
  const asWritten = withBuiltins(lookup, Object.fromEntries(kept.filter((k) => k in names).map((k) => [k, "$" + k])));
  const sourceOf = (ref: Panel["datasource"]) => resolveSource(ref, lookup);
  const first = sourceOf(targets[0]!.datasource ?? panel.datasource);
  if (!first) return null;
  const queries = targets.map((t, i) => {
    const s = sourceOf(t.datasource ?? panel.datasource) ?? first;
    return { refId: t.refId ?? String.fromCharCode(65 + i), expr: interpolate(t.expr!, asWritten, queryFormat), datasource: { type: s.type, uid: s.uid }, ...(t.legendFormat && { legendFormat: t.legendFormat }), ...(t.instant && { instant: true, range: !!t.range }) };
  });
  const panes = { a: { datasource: first.uid, queries, range: { from: raw.from, to: raw.to } } };
  return `/explore?schemaVersion=1&panes=${encodeURIComponent(JSON.stringify(panes))}`;
}
