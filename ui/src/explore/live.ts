/* A live tail: over WebSocket where the source is part of this server, else by asking again every two seconds. */
import { compareNs, linesOf, type LogLine, type Loki, type RawStream } from "../api/loki";

export interface Tail { stop: () => void }
export type TailState = "connecting" | "live" | "polling" | "failed";

const pollMs = 2000;
const keep = 1000;

/* Newer lines behind older ones, at most `keep`; a line is known by its time, text and labels. */
export function appendLines(have: LogLine[], more: LogLine[], max = keep): LogLine[] {
  const id = (l: LogLine) => l.ns + "\0" + l.line + "\0" + JSON.stringify(l.labels);
  const known = new Set(have.slice(-max).map(id));
  const fresh = more.filter((l) => !known.has(id(l)));
  return fresh.length ? [...have, ...fresh].sort((a, b) => compareNs(a.ns, b.ns)).slice(-max) : have;
}

export function tail(loki: Loki, query: string, onLines: (lines: LogLine[]) => void, onState: (s: TailState, why?: string) => void): Tail {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let since = Date.now() - 60_000;
  const stop = new AbortController();

  async function poll() {
    try {
      const end = Date.now();
      const res = await loki.range({ query, start: since, end, limit: keep, direction: "backward" }, stop.signal);
      /* asked again from a little earlier: lines may arrive late */
      since = end - 5000;
      if (stopped) return;
      onState("polling");
      if (res.lines.length) onLines(res.lines);
    } catch (e) {
      if (!stopped) onState("failed", (e as Error).message);
    }
    if (!stopped) timer = setTimeout(() => void poll(), pollMs);
  }

  onState("connecting");
  let opened = false;
  const ws = new WebSocket(loki.tailUrl(query, { start: since, limit: 100 }));
  ws.onopen = () => {
    opened = true;
    onState("live");
  };
  ws.onmessage = (m) => {
    try {
      const frame = JSON.parse(String(m.data)) as { streams?: RawStream[] | null };
      if (frame.streams) onLines(linesOf(frame.streams));
    } catch {
      /* a frame that is not JSON is not for us */
    }
  };
  ws.onclose = () => {
    if (stopped) return;
    if (opened) since = Date.now() - 10_000;
    void poll();
  };
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      stop.abort();
      ws.close();
    },
  };
}
