/* One query of a pane: letter, editor, options. */
import { lazy, Suspense } from "react";
import { lokiOf } from "../api/loki";
import { promOf } from "../api/prom";
import type { DataSource } from "../boot";
import { Icon } from "../components/icons";
import { useMemo } from "react";
import { isMetric } from "./logqlEdit";
import type { Range } from "./run";
import type { ExploreQuery } from "./state";

const PromEditor = lazy(() => import("../editors/PromEditor"));
const LogEditor = lazy(() => import("../editors/LogEditor"));

interface Props {
  source: DataSource;
  query: ExploreQuery;
  range: Range;
  onChange: (patch: Partial<ExploreQuery>) => void;
  onRun: () => void;
  onRemove?: () => void;
  focus: boolean;
}

export function QueryRow({ source, query, range, onChange, onRun, onRemove, focus }: Props) {
  const loki = source.type === "loki";
  const client = useMemo(() => ({ prom: promOf(source), loki: lokiOf(source) }), [source]);
  const common = { value: query.expr, onChange: (expr: string) => onChange({ expr }), onRun, label: `Query ${query.refId}`, autoFocus: focus, range };
  return (
    <div className={"query-row" + (query.hide ? " off" : "")}>
      <span className="query-letter" aria-hidden="true">
        {query.refId}
      </span>
      <div className="query-edit">
        <Suspense fallback={<div className="skel" style={{ height: 32 }} />}>{loki ? <LogEditor key={source.uid} loki={client.loki} {...common} /> : <PromEditor key={source.uid} prom={client.prom} {...common} />}</Suspense>
        <div className="query-options">{loki ? <LogOptions query={query} onChange={onChange} /> : <PromOptions query={query} onChange={onChange} />}</div>
      </div>
      <div className="query-tools">
        <button className="btn quiet icon" aria-pressed={!!query.hide} aria-label={`Leave query ${query.refId} out`} title={query.hide ? "Ask again" : "Leave out"} onClick={() => onChange({ hide: !query.hide })}>
          <Icon name={query.hide ? "play" : "pause"} />
        </button>
        {onRemove && (
          <button className="btn quiet icon" aria-label={`Remove query ${query.refId}`} title="Remove" onClick={onRemove}>
            <Icon name="close" />
          </button>
        )}
      </div>
    </div>
  );
}

type OptionProps = { query: ExploreQuery; onChange: (patch: Partial<ExploreQuery>) => void };

function TextOption({ name, value, hint, onChange, width }: { name: string; value: string; hint: string; onChange: (v: string) => void; width: number }) {
  return (
    <label className="inline">
      <span>{name}</span>
      <input className="input compact" style={{ width }} value={value} placeholder={hint} onChange={(e) => onChange(e.target.value)} spellCheck={false} />
    </label>
  );
}

function PromOptions({ query, onChange }: OptionProps) {
  const kind = query.instant && query.range ? "both" : query.instant ? "instant" : query.range ? "range" : "both";
  return (
    <>
      <label className="inline">
        <span>Type</span>
        <select className="input compact" value={kind} onChange={(e) => onChange({ range: e.target.value !== "instant", instant: e.target.value !== "range" })}>
          <option value="both">graph and table</option>
          <option value="range">graph</option>
          <option value="instant">table</option>
        </select>
      </label>
      <TextOption name="Legend" value={query.legendFormat ?? ""} hint="{{label}}" width={150} onChange={(legendFormat) => onChange({ legendFormat })} />
      <TextOption name="Least step" value={query.interval ?? ""} hint="auto" width={64} onChange={(interval) => onChange({ interval })} />
    </>
  );
}

function LogOptions({ query, onChange }: OptionProps) {
  if (isMetric(query.expr))
    return (
      <>
        <TextOption name="Legend" value={query.legendFormat ?? ""} hint="{{label}}" width={150} onChange={(legendFormat) => onChange({ legendFormat })} />
        <TextOption name="Least step" value={query.interval ?? ""} hint="auto" width={64} onChange={(interval) => onChange({ interval })} />
      </>
    );
  return (
    <>
      <label className="inline">
        <span>Lines at most</span>
        <select className="input compact" value={query.maxLines ?? 1000} onChange={(e) => onChange({ maxLines: +e.target.value })}>
          {[100, 500, 1000, 2000, 5000].map((n) => (
            <option key={n} value={n}>
              {n.toLocaleString("en")}
            </option>
          ))}
        </select>
      </label>
      <label className="inline">
        <span>When there are more</span>
        <select className="input compact" value={query.direction ?? "backward"} onChange={(e) => onChange({ direction: e.target.value as "forward" | "backward" })}>
          <option value="backward">the newest</option>
          <option value="forward">the oldest</option>
        </select>
      </label>
    </>
  );
}
