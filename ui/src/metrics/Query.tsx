/* Prometheus' query page: panels with an editor, a table and a graph, all in the address (g0.expr=...). */
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { call, promHere, resultOf, type PromResult } from "../api/prom";
import { Icon } from "../components/icons";
import { Failed, SkeletonRows } from "../components/States";
import { noteAsked } from "../explore/history";
import { HistoryMenu } from "../explore/HistoryMenu";
import { Graph, Table } from "../explore/MetricsResult";
import { seriesName } from "../explore/run";
import { parseDuration } from "../lib/time";
import { navigate, usePlace } from "../lib/router";
import { Page } from "./Frame";
import { emptyPanel, longerSpan, panelsQuery, parsePanels, shorterSpan, spanText, stepOf, timeText, type Density, type PanelState } from "./graphState";
import { Estimate } from "./Estimate";

const PromEditor = lazy(() => import("../editors/PromEditor"));

export default function Query() {
  const { query } = usePlace();
  const text = query.toString();
  const panels = useMemo(() => parsePanels(new URLSearchParams(text)), [text]);
  const show = (next: PanelState[]) => navigate("/query?" + panelsQuery(next));
  return (
    <Page title="Query">
      {panels.map((p, i) => (
        <Panel key={i} panel={p} index={i} onPanel={(n) => show(panels.map((x, k) => (k === i ? n : x)))} {...(panels.length > 1 && { onRemove: () => show(panels.filter((_, k) => k !== i)) })} />
      ))}
      <div>
        <button className="btn" onClick={() => show([...panels, emptyPanel()])}>
          <Icon name="plus" size={14} /> Add query
        </button>
      </div>
    </Page>
  );
}

interface Stats { timings?: { execTotalTime?: number; evalTotalTime?: number; execQueueTime?: number }; samples?: { totalQueryableSamples?: number; peakSamples?: number } }
interface Answer { result: PromResult; stats?: Stats; ms: number; bytes?: number; from: number; to: number; step: number }

async function ask(p: PanelState, signal: AbortSignal): Promise<Answer> {
  const began = performance.now();
  const graph = p.tab === "graph";
  const to = (graph ? p.end : p.moment) ?? Date.now();
  const step = stepOf(p);
  const from = to - p.rangeMs;
  const params = graph ? { query: p.expr, start: from / 1000, end: to / 1000, step: step / 1000, stats: "all" } : { query: p.expr, time: to / 1000, stats: "all" };
  type Raw = Parameters<typeof resultOf>[0]["data"];
  const e = await call<Raw & { stats?: Stats }>(graph ? "/api/v1/query_range" : "/api/v1/query", params, signal);
  return { result: resultOf(e), stats: e.data.stats, ms: performance.now() - began, from, to, step };
}

function useAnswer(p: PanelState, turn: number) {
  const [state, setState] = useState<{ answer: Answer | null; error: unknown; loading: boolean }>({ answer: null, error: null, loading: false });
  const key = JSON.stringify(p);
  useEffect(() => {
    if (!p.expr.trim()) {
      setState({ answer: null, error: null, loading: false });
      return;
    }
    const stop = new AbortController();
    setState((s) => ({ ...s, loading: true }));
    ask(p, stop.signal)
      .then((answer) => setState({ answer, error: null, loading: false }))
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setState({ answer: null, error, loading: false });
      });
    return () => stop.abort();
    // `key` stands for the panel
    // eslint-disable-next-line
  }, [key, turn]);
  return state;
}

function Panel({ panel, index, onPanel, onRemove }: { panel: PanelState; index: number; onPanel: (p: PanelState) => void; onRemove?: () => void }) {
  const [draft, setDraft] = useState(panel.expr);
  const [turn, setTurn] = useState(0);
  const { answer, error, loading } = useAnswer(panel, turn);
  useEffect(() => setDraft(panel.expr), [panel.expr]);
  const now = useRef(draft);
  now.current = draft;
  const commit = (patch: Partial<PanelState> = {}) => {
    const next = { ...panel, expr: now.current, ...patch };
    noteAsked("metrics", next.expr);
    if (JSON.stringify(next) === JSON.stringify(panel)) setTurn((n) => n + 1);
    else onPanel(next);
  };
  const span = { from: (panel.end ?? Date.now()) - panel.rangeMs, to: panel.end ?? Date.now() };
  return (
    <section className="card query-card" aria-label={`Query ${index + 1}`}>
      <div className="query-line">
        <Suspense fallback={<div className="skel" style={{ height: 32 }} />}>
          <PromEditor prom={promHere} range={span} value={draft} onChange={setDraft} onRun={() => commit()} label={`Expression ${index + 1}`} autoFocus={index === 0 && !panel.expr} />
        </Suspense>
        <button className="btn primary" onClick={() => commit()}>
          Execute
        </button>
        <HistoryMenu source="metrics" onPick={(expr) => commit({ expr })} />
        {onRemove && (
          <button className="btn quiet icon" aria-label={`Remove query ${index + 1}`} title="Remove" onClick={onRemove}>
            <Icon name="close" />
          </button>
        )}
      </div>
      <Estimate expr={draft} span={span} steps={panel.tab === "graph" ? Math.floor(panel.rangeMs / stepOf(panel)) + 1 : 1} />
      <div className="tab-line">
        <span className="group" role="tablist" aria-label="Show as">
          {(["table", "graph"] as const).map((t) => (
            <button key={t} className="btn compact" role="tab" aria-selected={panel.tab === t} onClick={() => commit({ tab: t })}>
              {t === "table" ? "Table" : "Graph"}
            </button>
          ))}
        </span>
        {panel.tab === "graph" ? <GraphControls panel={panel} commit={commit} /> : <Moment name="Evaluation time" value={panel.moment} by={600_000} onChange={(moment) => commit({ moment })} />}
        <span className="grow" />
        {answer && <Cost answer={answer} />}
      </div>
      <div className={loading && answer ? "stale" : undefined} aria-busy={loading}>
        {error ? <Failed error={error} what="The query failed" retry={() => setTurn((n) => n + 1)} /> : answer ? <Shown panel={panel} answer={answer} commit={commit} /> : loading ? <SkeletonRows rows={4} /> : <p className="muted none">No data queried yet.</p>}
      </div>
    </section>
  );
}

function Shown({ panel, answer, commit }: { panel: PanelState; answer: Answer; commit: (p: Partial<PanelState>) => void }) {
  const { result } = answer;
  const named = useMemo(() => result.series.map((series) => ({ name: seriesName(series, { refId: "A", expr: panel.expr }), series, step: answer.step })), [result, panel.expr, answer.step]);
  return (
    <>
      {[...result.warnings, ...result.infos].map((w, i) => (
        <div key={i} className="notice">
          {w}
        </div>
      ))}
      {result.type === "string" ? (
        <p className="mono none">{result.text}</p>
      ) : result.type === "matrix" && panel.tab === "graph" ? (
        named.length ? (
          <Graph list={named} range={answer} height={360} label={`Graph of ${panel.expr}`} draw={panel.display === "stacked" ? "stacked" : "lines"} onDraw={(d) => commit({ display: d === "stacked" ? "stacked" : "lines" })} onZoom={(from, to) => commit({ end: to, rangeMs: Math.max(to - from, 1000) })} />
        ) : (
          <p className="muted none">Empty query result. The query is fine, but nothing matches it in this range.</p>
        )
      ) : (
        <Table series={result.series} label="Result table" raw />
      )}
    </>
  );
}

const count = (n: number) => n.toLocaleString("en");

function Cost({ answer }: { answer: Answer }) {
  const { stats: s } = answer;
  const eval_ = s?.timings?.execTotalTime ?? s?.timings?.evalTotalTime;
  return (
    <span className="cost" role="status">
      <span>{count(answer.result.series.length)} series</span>
      <span>{Math.round(answer.ms)} ms in all</span>
      {eval_ !== undefined && <span>{(eval_ * 1000).toFixed(2)} ms in the engine</span>}
      {s?.samples?.totalQueryableSamples !== undefined && <span>{count(s.samples.totalQueryableSamples)} samples read</span>}
      {s?.samples?.peakSamples !== undefined && <span>{count(s.samples.peakSamples)} at once</span>}
    </span>
  );
}

function Moment({ name, value, by, onChange }: { name: string; value: number | null; by: number; onChange: (ts: number | null) => void }) {
  const [text, setText] = useState(value === null ? "" : timeText(value));
  useEffect(() => setText(value === null ? "" : timeText(value)), [value]);
  const apply = (t: string) => {
    if (!t.trim()) return onChange(null);
    const ts = Date.parse(t.trim().replace(" ", "T") + (t.endsWith("Z") ? "" : "Z"));
    if (!Number.isNaN(ts)) onChange(ts);
  };
  return (
    <span className="group">
      <button className="btn icon compact" aria-label={`${name} earlier`} onClick={() => onChange((value ?? Date.now()) - by)}>
        <Icon name="left" size={14} />
      </button>
      <input className="input compact mono moment" value={text} placeholder={`${name}: now (UTC)`} aria-label={`${name}, UTC`} onChange={(e) => setText(e.target.value)} onBlur={(e) => apply(e.target.value)} onKeyDown={(e) => e.key === "Enter" && apply(text)} spellCheck={false} />
      {value !== null && (
        <button className="btn icon compact" aria-label={`${name} now`} title="Now" onClick={() => onChange(null)}>
          <Icon name="close" size={14} />
        </button>
      )}
      <button className="btn icon compact" aria-label={`${name} later`} onClick={() => onChange((value ?? Date.now()) + by)} disabled={value === null}>
        <Icon name="right" size={14} />
      </button>
    </span>
  );
}

function GraphControls({ panel, commit }: { panel: PanelState; commit: (p: Partial<PanelState>) => void }) {
  const [text, setText] = useState(spanText(panel.rangeMs));
  useEffect(() => setText(spanText(panel.rangeMs)), [panel.rangeMs]);
  const apply = () => {
    const ms = parseDuration(text);
    if (ms && ms >= 1000) commit({ rangeMs: ms });
    else setText(spanText(panel.rangeMs));
  };
  const res = panel.res.type === "auto" ? panel.res.density : String(panel.res.stepMs);
  const pickRes = (v: string) => commit({ res: v === "low" || v === "medium" || v === "high" ? { type: "auto", density: v as Density } : { type: "fixed", stepMs: +v } });
  const fixed = [1000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000];
  const custom = panel.res.type !== "auto" && !fixed.includes(panel.res.stepMs) ? [panel.res.stepMs] : [];
  return (
    <>
      <span className="group">
        <button className="btn icon compact" aria-label="Shorter range" onClick={() => commit({ rangeMs: shorterSpan(panel.rangeMs) })}>
          <Icon name="minus" size={14} />
        </button>
        <input className="input compact mono span" value={text} aria-label="Range" onChange={(e) => setText(e.target.value)} onBlur={apply} onKeyDown={(e) => e.key === "Enter" && apply()} spellCheck={false} />
        <button className="btn icon compact" aria-label="Longer range" onClick={() => commit({ rangeMs: longerSpan(panel.rangeMs) })}>
          <Icon name="plus" size={14} />
        </button>
      </span>
      <Moment name="End time" value={panel.end} by={panel.rangeMs / 2} onChange={(end) => commit({ end })} />
      <label className="inline">
        <span>Resolution</span>
        <select className="input compact" value={res} onChange={(e) => pickRes(e.target.value)}>
          <option value="low">low</option>
          <option value="medium">medium</option>
          <option value="high">high</option>
          {[...custom, ...fixed].map((ms) => (
            <option key={ms} value={ms}>
              {spanText(ms)}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}
