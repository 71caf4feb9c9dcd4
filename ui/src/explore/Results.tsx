/* What a pane's queries answered. */
import { useMemo } from "react";
import type { DataSource } from "../boot";
import { Failed, SkeletonRows } from "../components/States";
import { plain, unitFormat } from "../semantics/units";
import type { LogFilter } from "./LogList";
import { LogsResult } from "./LogsResult";
import { isMetric } from "./logqlEdit";
import { Graph, namedSeries, Table } from "./MetricsResult";
import type { QueryOutcome, Range } from "./run";

interface Props {
  source: DataSource;
  outcomes: QueryOutcome[] | null;
  range: Range;
  run: number;
  loading: boolean;
  onZoom: (from: number, to: number) => void;
  filter: (o: QueryOutcome) => LogFilter;
  onOlder: (o: QueryOutcome) => void;
  retry: () => void;
}

export function Results({ source, outcomes, range, run, loading, onZoom, filter, onOlder, retry }: Props) {
  const named = useMemo(() => namedSeries(outcomes ?? []), [outcomes]);
  if (!outcomes) return loading ? <SkeletonRows rows={6} /> : null;
  const bad = outcomes.filter((o) => o.error);
  const logs = outcomes.filter((o) => !o.error && source.type === "loki" && !isMetric(o.expr));
  const numbers = outcomes.filter((o) => !o.error && !logs.includes(o));
  const tables = numbers.filter((o) => o.table.length || (!o.graph.length && !o.scalarText));
  return (
    <div className={"results" + (loading ? " stale" : "")} aria-busy={loading}>
      {bad.map((o) => (
        <div key={o.query.refId} className="card">
          <Failed error={o.error} what={`Query ${o.query.refId} failed`} retry={retry} />
        </div>
      ))}
      {outcomes.flatMap((o) =>
        o.warnings.map((w, i) => (
          <div key={o.query.refId + i} className="notice">
            {w}
          </div>
        )),
      )}
      {named.length > 0 && <Graph list={named} range={range} height={320} onZoom={onZoom} label="Result graph" />}
      {tables.map((o) => (
        <Table key={o.query.refId} series={o.table} label={`Result table of query ${o.query.refId}`} />
      ))}
      {numbers.map(
        (o) =>
          o.scalarText !== undefined && (
            <div key={o.query.refId} className="card text-answer mono">
              {o.scalarText}
            </div>
          ),
      )}
      {logs.map((o) => (
        <LogsResult key={o.query.refId} source={source} expr={o.expr} lines={o.lines} limit={o.limit ?? 1000} range={range} run={run} filter={filter(o)} onZoom={onZoom} onOlder={() => onOlder(o)} />
      ))}
      {outcomes.length > 0 && <Cost outcomes={outcomes} />}
    </div>
  );
}

function Cost({ outcomes }: { outcomes: QueryOutcome[] }) {
  return (
    <p className="cost">
      {outcomes.map((o) => {
        const s = o.stats?.summary;
        return (
          <span key={o.query.refId}>
            {o.query.refId}: {Math.round(o.ms)} ms
            {o.step > 0 && !o.lines.length && `, step ${o.step / 1000} s`}
            {s?.totalBytesProcessed !== undefined && `, ${plain(unitFormat("bytes")(s.totalBytesProcessed))} read`}
            {s?.totalLinesProcessed !== undefined && `, ${s.totalLinesProcessed.toLocaleString("en")} lines looked at`}
          </span>
        );
      })}
    </p>
  );
}
