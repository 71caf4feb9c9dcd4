/* Targets by pool: which are up, what they said last. */
import { useMemo, useState } from "react";
import { Icon } from "../components/icons";
import { Empty } from "../components/States";
import { ago, Badge, LabelSet, Loaded, Page, Search, secondsText, useApi, type Tone } from "./Frame";

export interface Target {
  discoveredLabels: Record<string, string>;
  labels: Record<string, string>;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl?: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: "up" | "down" | "unknown";
  scrapeInterval?: string;
  scrapeTimeout?: string;
}
export interface TargetList { activeTargets: Target[]; droppedTargets?: { discoveredLabels: Record<string, string>; scrapePool: string }[]; droppedTargetCounts?: Record<string, number> }

const tones: Record<string, Tone> = { up: "ok", down: "bad", unknown: "warn" };
const states = ["all", "up", "down", "unknown"] as const;

export default function Targets() {
  const api = useApi<TargetList>("targets", { state: "active" }, 10_000);
  const [find, setFind] = useState("");
  const [state, setState] = useState<(typeof states)[number]>("all");
  const tools = (
    <>
      <Search value={find} onChange={setFind} what="Endpoint or label" />
      <span className="group" role="group" aria-label="State">
        {states.map((s) => (
          <button key={s} className="btn" aria-pressed={state === s} onClick={() => setState(s)}>
            {s}
          </button>
        ))}
      </span>
    </>
  );
  return (
    <Page title="Target health" tools={tools}>
      <Loaded what="The targets cannot be shown" from={api}>
        {(data) => <Pools list={data.activeTargets} find={find.toLowerCase()} state={state} />}
      </Loaded>
    </Page>
  );
}

function Pools({ list, find, state }: { list: Target[]; find: string; state: string }) {
  const pools = useMemo(() => {
    const m = new Map<string, Target[]>();
    for (const t of list) m.set(t.scrapePool, [...(m.get(t.scrapePool) ?? []), t]);
    return [...m].sort(([a], [b]) => (a < b ? -1 : 1));
  }, [list]);
  if (!list.length) return <Empty title="No targets">Add a scrape_configs section to the configuration file, or start with --demo.</Empty>;
  const match = (t: Target) => (state === "all" || t.health === state) && (!find || t.scrapeUrl.toLowerCase().includes(find) || Object.entries(t.labels).some(([k, v]) => `${k}="${v}"`.toLowerCase().includes(find)));
  return (
    <>
      {pools.map(([name, targets]) => {
        const shown = targets.filter(match);
        return shown.length || (!find && state === "all") ? <Pool key={name} name={name} all={targets} shown={shown} /> : null;
      })}
    </>
  );
}

function Pool({ name, all, shown }: { name: string; all: Target[]; shown: Target[] }) {
  const [open, setOpen] = useState(true);
  const up = all.filter((t) => t.health === "up").length;
  return (
    <section className="card" aria-label={`Pool ${name}`}>
      <button className="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name={open ? "chevron" : "right"} />
        <strong>{name}</strong>
        <Badge tone={up === all.length ? "ok" : up ? "warn" : "bad"}>
          {up} of {all.length} up
        </Badge>
      </button>
      {open && (
        <div className="scroll-table" tabIndex={0} role="region" aria-label={`Targets of ${name}`}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">Endpoint</th>
                <th scope="col">Labels</th>
                <th scope="col">Last scrape</th>
                <th scope="col">State</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((t, i) => (
                <Row key={t.scrapeUrl + i} target={t} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Row({ target: t }: { target: Target }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <tr>
        <td>
          <a href={t.globalUrl ?? t.scrapeUrl} target="_blank" rel="noreferrer">
            {t.scrapeUrl}
          </a>
        </td>
        <td>
          <LabelSet labels={t.labels} />
          <button className="btn quiet compact" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Hide" : "Before relabelling"}
          </button>
          {open && (
            <div className="discovered">
              <LabelSet labels={t.discoveredLabels} />
            </div>
          )}
        </td>
        <td className="nowrap">
          {ago(t.lastScrape)}, {secondsText(t.lastScrapeDuration)}
          {t.scrapeInterval && <div className="muted">every {t.scrapeInterval}</div>}
        </td>
        <td>
          <Badge tone={tones[t.health] ?? "plain"}>{t.health}</Badge>
        </td>
      </tr>
      {t.lastError && (
        <tr>
          <td colSpan={4} className="row-error">
            Error scraping target: {t.lastError}
          </td>
        </tr>
      )}
    </>
  );
}
