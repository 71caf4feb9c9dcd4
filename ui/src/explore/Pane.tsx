/* One side of Explore: source, time, queries, results. What was last run is in the address (the `pane`); what is being
 * typed is here. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { lokiOf, type LogLine } from "../api/loki";
import { dataSources, findDataSource, type DataSource } from "../boot";
import { Icon } from "../components/icons";
import { MenuSelect } from "../components/Popover";
import { RefreshPicker } from "../components/RefreshPicker";
import { Empty } from "../components/States";
import { TimePicker } from "../components/TimePicker";
import { parseDuration, parseRange } from "../lib/time";
import { noteAsked } from "./history";
import { HistoryMenu } from "./HistoryMenu";
import { appendLines, tail, type TailState } from "./live";
import { LogsResult } from "./LogsResult";
import { addLineFilter, filterLabel, isMetric } from "./logqlEdit";
import { QueryRow } from "./QueryRow";
import { Results } from "./Results";
import { runQueries, type QueryOutcome, type Range } from "./run";
import { nextRefId, type ExploreQuery, type PaneState } from "./state";
import { useWidth } from "./useSize";

interface Props {
  pane: PaneState;
  name: string;
  onPane: (p: PaneState) => void;
  onSplit?: () => void;
  onClose?: () => void;
}

/* Runs what the address says: again when it changes, when asked, and every so often. */
function useOutcomes(source: DataSource | undefined, pane: PaneState, points: number) {
  const [run, setRun] = useState(0);
  const [loading, setLoading] = useState(false);
  const [result, setResult] = useState<{ outcomes: QueryOutcome[]; range: Range; run: number; source: DataSource } | null>(null);
  const wanted = JSON.stringify([source?.uid, pane]);
  const width = useRef(points);
  width.current = points;
  const ready = points > 0;
  useEffect(() => {
    const r = parseRange(pane.range);
    if (!source || !r || !ready || !pane.queries.some((q) => q.expr.trim() && !q.hide)) {
      setResult(null);
      return;
    }
    const stop = new AbortController();
    const range = { from: r.from, to: r.to };
    setLoading(true);
    runQueries(source, pane.queries, range, width.current, stop.signal)
      .then((outcomes) => {
        setResult({ outcomes, range, run, source });
        setLoading(false);
      })
      .catch(() => undefined);
    return () => stop.abort();
    // `wanted` stands for source and pane
    // eslint-disable-next-line
  }, [wanted, run, ready]);
  return { run, again: useCallback(() => setRun((n) => n + 1), []), loading, result, setResult };
}

export function Pane({ pane, name, onPane, onSplit, onClose }: Props) {
  const source = findDataSource(pane.datasource || null) ?? dataSources()[0];
  const missing = pane.datasource !== "" && !findDataSource(pane.datasource);
  const [draft, setDraft] = useState(pane.queries);
  const [every, setEvery] = useState("");
  const [live, setLive] = useState(false);
  const [ref, width] = useWidth<HTMLElement>();
  const { run, again, loading, result, setResult } = useOutcomes(source, pane, width);
  const range = useMemo(() => parseRange(pane.range) ?? { from: Date.now() - 3_600_000, to: Date.now() }, [pane.range, run]);

  const committed = JSON.stringify(pane.queries);
  useEffect(() => setDraft(JSON.parse(committed) as ExploreQuery[]), [committed]);
  useEffect(() => {
    const ms = every ? parseDuration(every) : null;
    if (!ms) return;
    const t = setInterval(again, ms);
    return () => clearInterval(t);
  }, [every, again]);

  const latest = useRef(draft);
  latest.current = draft;
  const commit = useCallback(
    (patch: Partial<PaneState> = {}) => {
      const queries = patch.queries ?? latest.current;
      for (const q of queries) if (!q.hide && source) noteAsked(source.uid, q.expr);
      const next = { ...pane, datasource: pane.datasource || (source?.uid ?? ""), queries, ...patch };
      if (JSON.stringify(next) === JSON.stringify(pane)) again();
      else onPane(next);
    },
    [pane, onPane, again, source],
  );
  const edit = (refId: string, patch: Partial<ExploreQuery>) => setDraft((list) => list.map((q) => (q.refId === refId ? { ...q, ...patch } : q)));
  const zoom = useCallback((from: number, to: number) => commit({ range: { from: String(from), to: String(to) } }), [commit]);
  const changeExpr = (refId: string, f: (expr: string) => string) => commit({ queries: draft.map((q) => (q.refId === refId ? { ...q, expr: f(q.expr) } : q)) });
  const filter = (o: QueryOutcome) => ({
    onFilter: (k: string, v: string, op: "=" | "!=", stream: boolean) => changeExpr(o.query.refId, (e) => filterLabel(e, k, v, op, stream)),
    onLine: (op: "|=" | "!=", text: string) => changeExpr(o.query.refId, (e) => addLineFilter(e, op, text)),
  });
  async function older(o: QueryOutcome) {
    const first = o.lines.reduce((a, l) => Math.min(a, l.time), Infinity);
    if (!source || !result || first === Infinity) return;
    const more = await lokiOf(source)
      .range({ query: o.expr, start: result.range.from, end: first, limit: o.limit, direction: "backward" })
      .catch(() => null);
    if (more) setResult((r) => r && { ...r, outcomes: r.outcomes.map((x) => (x.query.refId === o.query.refId ? { ...x, lines: appendLines(x.lines, more.lines, 50_000), limit: more.lines.length < (o.limit ?? 0) ? Infinity : x.lines.length + 1 } : x)) });
  }

  if (!source) return <Empty title="There is no data source">Add one in grafana.ini&rsquo;s provisioning folder.</Empty>;
  const logQuery = source.type === "loki" ? draft.find((q) => !q.hide && q.expr.trim() && !isMetric(q.expr)) : undefined;
  return (
    <section className="pane" ref={ref} aria-label={name}>
      <div className="pane-bar">
        <MenuSelect name="Data source" value={source.uid} choices={dataSources().map((d) => ({ value: d.uid, label: d.name, hint: d.type }))} className="btn" onPick={(uid) => onPane({ ...pane, datasource: uid, queries: [{ refId: "A", expr: "" }] })} />
        <span className="grow" />
        {onSplit && (
          <button className="btn" onClick={onSplit}>
            Split
          </button>
        )}
        <Share />
        <HistoryMenu source={source.uid} onPick={(expr) => commit({ queries: [{ ...draft[0]!, expr }, ...draft.slice(1)] })} />
        <TimePicker raw={pane.range} onChange={(r) => commit({ range: r })} compact={width < 900} />
        {logQuery && (
          <button className="btn" aria-pressed={live} onClick={() => setLive(!live)}>
            <Icon name={live ? "pause" : "play"} size={14} /> Live
          </button>
        )}
        <RefreshPicker value={every} onChange={setEvery} onRefresh={() => commit()} loading={loading} />
        <button className="btn primary" onClick={() => commit()}>
          Run query
        </button>
        {onClose && (
          <button className="btn quiet icon" aria-label={`Close ${name}`} title="Close this side" onClick={onClose}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {missing && <div className="notice bad">There is no data source “{pane.datasource}”: {source.name} is used instead.</div>}
      <div className="queries">
        {draft.map((q, i) => (
          <QueryRow key={q.refId + source.uid} source={source} query={q} range={range} focus={i === 0 && !q.expr} onChange={(p) => edit(q.refId, p)} onRun={() => commit()} {...(draft.length > 1 && { onRemove: () => commit({ queries: draft.filter((x) => x !== q) }) })} />
        ))}
        <button className="btn quiet compact" onClick={() => setDraft([...draft, { refId: nextRefId(draft), expr: "" }])}>
          <Icon name="plus" size={14} /> Add query
        </button>
      </div>
      {live && logQuery ? (
        <Live source={source} expr={logQuery.expr} filter={filter({ query: logQuery } as QueryOutcome)} onStop={() => setLive(false)} />
      ) : result ? (
        <Results source={result.source} outcomes={result.outcomes} range={result.range} run={result.run} loading={loading} onZoom={zoom} filter={filter} onOlder={(o) => void older(o)} retry={again} />
      ) : loading ? (
        <Results source={source} outcomes={null} range={range} run={run} loading onZoom={zoom} filter={filter} onOlder={() => undefined} retry={again} />
      ) : (
        <Start source={source} onPick={(expr) => commit({ queries: [{ ...draft[0]!, expr }] })} />
      )}
    </section>
  );
}

function Share() {
  const [done, setDone] = useState(false);
  return (
    <button
      className="btn"
      onClick={() => {
        void navigator.clipboard?.writeText(location.href);
        setDone(true);
        setTimeout(() => setDone(false), 1500);
      }}
    >
      {done ? "Link copied" : "Share"}
    </button>
  );
}

const starts: Record<string, [string, string][]> = {
  prometheus: [
    ["up", "which targets answer"],
    ["sum by (endpoint) (rate(flask_app_request_count[$__rate_interval]))", "requests a second by endpoint"],
    ["histogram_quantile(0.95, sum by (le) (rate(flask_app_request_duration_seconds_bucket[$__rate_interval])))", "95th percentile of request time"],
  ],
  loki: [
    ['{job="flask-app"}', "all lines of the sample application"],
    ['{job="flask-app"} |~ "ERROR|error"', "its errors"],
    ['sum by (job) (rate({job=~".+"}[$__auto]))', "lines a second by job"],
  ],
};

function Start({ source, onPick }: { source: DataSource; onPick: (expr: string) => void }) {
  return (
    <div className="card start">
      <Empty title="Ask something">
        Write a query above and run it with <kbd>Shift</kbd>+<kbd>Enter</kbd>, or start with one of these.
      </Empty>
      <ul>
        {(starts[source.type] ?? []).map(([expr, what]) => (
          <li key={expr}>
            <button className="btn quiet mono" onClick={() => onPick(expr)}>
              {expr}
            </button>
            <span className="muted">{what}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const stateText: Record<TailState, string> = { connecting: "Connecting", live: "Live", polling: "Live, asked every 2 seconds", failed: "Trying again" };

function Live({ source, expr, filter, onStop }: { source: DataSource; expr: string; filter: Parameters<typeof LogsResult>[0]["filter"]; onStop: () => void }) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [state, setState] = useState<[TailState, string]>(["connecting", ""]);
  const [paused, setPaused] = useState(false);
  const waiting = useRef<LogLine[]>([]);
  const hold = useRef(false);
  hold.current = paused;
  const [began] = useState(() => Date.now());
  useEffect(() => {
    setLines([]);
    const t = tail(
      lokiOf(source),
      expr,
      (more) => {
        if (hold.current) waiting.current = appendLines(waiting.current, more);
        else setLines((have) => appendLines(have, more));
      },
      (s, why) => setState([s, why ?? ""]),
    );
    return () => t.stop();
  }, [source, expr]);
  const resume = () => {
    setPaused(false);
    setLines((have) => appendLines(have, waiting.current));
    waiting.current = [];
  };
  const now = lines.length ? Math.max(lines[lines.length - 1]!.time, began) : began;
  return (
    <div className="results">
      <div className="live-bar" role="status">
        <span className={"live-dot " + state[0]} /> {paused ? `Paused, ${waiting.current.length} lines waiting` : stateText[state[0]]}
        {state[1] && <span className="muted">{state[1]}</span>}
        <span className="grow" />
        <button className="btn compact" onClick={paused ? resume : () => setPaused(true)}>
          {paused ? "Resume" : "Pause"}
        </button>
        <button className="btn compact" onClick={() => setLines([])}>
          Clear
        </button>
        <button className="btn compact" onClick={onStop}>
          Stop
        </button>
      </div>
      <LogsResult source={source} expr={expr} lines={lines} limit={Infinity} range={{ from: Math.min(began - 60_000, lines[0]?.time ?? began), to: now + 1000 }} run={0} filter={filter} onZoom={() => undefined} live />
    </div>
  );
}
