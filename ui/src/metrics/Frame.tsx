/* What the metrics engine's pages share: the frame, asking once and again, small pieces. */
import "../explore/explore.css";
import "./metrics.css";
import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { promHere, type Params } from "../api/prom";
import { Bar } from "../components/Bar";
import { Failed, SkeletonRows } from "../components/States";

export function Page({ title, tools, children }: { title: string; tools?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} - Cairn`;
  }, [title]);
  return (
    <>
      <Bar />
      <main className="page broad">
        <div className="page-head">
          <h1>{title}</h1>
          <span className="grow" />
          {tools}
        </div>
        <Replay />
        {children}
      </main>
    </>
  );
}

/* How far the log is replayed, while it is; then the page begins anew, with data. */
function Replay() {
  const [every, setEvery] = useState(0);
  const was = useRef(false);
  const { data } = useApi<{ min: number; max: number; current: number }>("status/walreplay", {}, every);
  const going = data != null && data.current < data.max;
  useEffect(() => {
    if (!going && was.current) window.location.reload();
    was.current = going;
    setEvery(going ? 1000 : 0);
  }, [going]);
  if (!going) return null;
  return (
    <div className="notice" role="status">
      The log is being replayed: {data.current} of {data.max} segments. Queries are answered when it is done; scrapes and writes are taken already.
    </div>
  );
}

/* Asks the API once, and every so often; old data stays while new data loads. */
export function useApi<T>(path: string, params: Params = {}, everyMs = 0) {
  const [data, setData] = useState<T | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify(params);
  useEffect(() => {
    const stop = new AbortController();
    promHere
      .get<T>(path, JSON.parse(key) as Params, stop.signal)
      .then((d) => {
        setData(d);
        setError(null);
      })
      .catch((e: unknown) => {
        if (!stop.signal.aborted) setError(e);
      });
    return () => stop.abort();
  }, [path, key, turn]);
  useEffect(() => {
    if (!everyMs) return;
    const t = setInterval(() => setTurn((n) => n + 1), everyMs);
    return () => clearInterval(t);
  }, [everyMs]);
  return { data, error, again: useCallback(() => setTurn((n) => n + 1), []) };
}

export function Loaded<T>({ what, from, children }: { what: string; from: { data: T | null; error: unknown; again: () => void }; children: (data: T) => ReactNode }) {
  if (from.error && !from.data)
    return (
      <div className="card">
        <Failed error={from.error} what={what} retry={from.again} />
      </div>
    );
  if (!from.data) return <SkeletonRows rows={6} />;
  return (
    <>
      {from.error ? <div className="notice bad">{what}; what is shown is from before.</div> : null}
      {children(from.data)}
    </>
  );
}

export type Tone = "ok" | "bad" | "warn" | "plain";
export const Badge = ({ tone, children }: { tone: Tone; children: ReactNode }) => <span className={"badge " + tone}>{children}</span>;

export function LabelSet({ labels, skip = [] }: { labels: Record<string, string>; skip?: string[] }) {
  return (
    <span className="labels">
      {Object.entries(labels)
        .filter(([k]) => !skip.includes(k))
        .map(([k, v]) => (
          <code key={k} className="chip">{`${k}="${v}"`}</code>
        ))}
    </span>
  );
}

export function Search({ value, onChange, what }: { value: string; onChange: (v: string) => void; what: string }) {
  return <input className="input" type="search" placeholder={what} aria-label={what} value={value} onChange={(e) => onChange(e.target.value)} />;
}

export const secondsText = (s: number): string => (s < 1 ? `${(s * 1000).toFixed(1)} ms` : `${s.toFixed(2)} s`);

export function ago(iso: string): string {
  const ts = Date.parse(iso);
  if (!(ts > 0)) return "never";
  const s = (Date.now() - ts) / 1000;
  return s < 90 ? `${Math.max(s, 0).toFixed(1)} s ago` : s < 5400 ? `${Math.round(s / 60)} min ago` : `${Math.round(s / 3600)} h ago`;
}
