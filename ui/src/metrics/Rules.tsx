/* Rule groups (/rules) and alerts (/alerts): definitions, health, state, what fires. */
import { useState } from "react";
import { Icon } from "../components/icons";
import { Link } from "../components/Link";
import { Empty } from "../components/States";
import { ago, Badge, LabelSet, Loaded, Page, Search, secondsText, useApi, type Tone } from "./Frame";

interface Alert { labels: Record<string, string>; annotations: Record<string, string>; state: string; activeAt?: string; value: string; keepFiringSince?: string }
interface Rule {
  type: "alerting" | "recording";
  name: string;
  query: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  duration?: number;
  keepFiringFor?: number;
  state?: "inactive" | "pending" | "firing" | "unknown";
  alerts?: Alert[];
  health: string;
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
}
interface Group { name: string; file: string; interval: number; rules: Rule[]; evaluationTime: number; lastEvaluation: string }
interface Groups { groups: Group[] }

const healthTone: Record<string, Tone> = { ok: "ok", err: "bad", unknown: "warn" };
const stateTone: Record<string, Tone> = { inactive: "ok", pending: "warn", firing: "bad", unknown: "plain" };
const worst = (rules: Rule[]) => (["firing", "pending", "unknown"] as const).find((s) => rules.some((r) => r.state === s)) ?? "inactive";

const graphLink = (expr: string) => "/query?" + new URLSearchParams({ "g0.expr": expr, "g0.tab": "graph" }).toString();

function Definition({ rule }: { rule: Rule }) {
  return (
    <dl className="definition">
      <dt>expr</dt>
      <dd>
        <Link to={graphLink(rule.query)} className="mono">
          {rule.query}
        </Link>
      </dd>
      {!!rule.duration && (
        <>
          <dt>for</dt>
          <dd>{rule.duration} s</dd>
        </>
      )}
      {!!rule.keepFiringFor && (
        <>
          <dt>keep_firing_for</dt>
          <dd>{rule.keepFiringFor} s</dd>
        </>
      )}
      {rule.labels && Object.keys(rule.labels).length > 0 && (
        <>
          <dt>labels</dt>
          <dd>
            <LabelSet labels={rule.labels} />
          </dd>
        </>
      )}
      {Object.entries(rule.annotations ?? {}).map(([k, v]) => (
        <div key={k} className="pair">
          <dt>{k}</dt>
          <dd>{v}</dd>
        </div>
      ))}
    </dl>
  );
}

const none = <Empty title="No rules">Name rule files under rule_files in the configuration file.</Empty>;

export function Rules() {
  const api = useApi<Groups>("rules", {}, 15_000);
  const [find, setFind] = useState("");
  return (
    <Page title="Rule health" tools={<Search value={find} onChange={setFind} what="Rule" />}>
      <Loaded what="The rules cannot be shown" from={api}>
        {({ groups }) =>
          groups.length
            ? groups.map((g) => (
                <section key={g.file + g.name} className="card" aria-label={`Group ${g.name}`}>
                  <div className="graph-bar">
                    <strong>{g.name}</strong>
                    <span className="muted">{g.file}</span>
                    <span className="grow" />
                    <span className="muted">
                      every {g.interval} s · last run {ago(g.lastEvaluation)}, {secondsText(g.evaluationTime)}
                    </span>
                  </div>
                  {g.rules
                    .filter((r) => r.name.toLowerCase().includes(find.toLowerCase()))
                    .map((r, i) => (
                      <div key={i} className="rule">
                        <div className="rule-head">
                          <Badge tone={healthTone[r.health] ?? "plain"}>{r.health}</Badge>
                          <strong>{r.name}</strong>
                          <span className="muted">{r.type === "alerting" ? "alert" : "record"}</span>
                          <span className="grow" />
                          <span className="muted">
                            {ago(r.lastEvaluation)}, {secondsText(r.evaluationTime)}
                          </span>
                        </div>
                        {r.lastError && <div className={"notice" + (r.health === "err" ? " bad" : "")}>{r.lastError}</div>}
                        <Definition rule={r} />
                      </div>
                    ))}
                </section>
              ))
            : none
        }
      </Loaded>
    </Page>
  );
}

const states = ["all", "firing", "pending", "inactive", "unknown"];

export function Alerts() {
  const api = useApi<Groups>("rules", { type: "alert" }, 15_000);
  const [find, setFind] = useState("");
  const [state, setState] = useState("all");
  const tools = (
    <>
      <Search value={find} onChange={setFind} what="Name or label" />
      <span className="group" role="group" aria-label="State">
        {states.map((s) => (
          <button key={s} className="btn" aria-pressed={state === s} onClick={() => setState(s)}>
            {s}
          </button>
        ))}
      </span>
    </>
  );
  const match = (r: Rule) => r.type === "alerting" && (state === "all" || r.state === state) && (!find || JSON.stringify([r.name, r.labels, r.alerts?.map((a) => a.labels)]).toLowerCase().includes(find.toLowerCase()));
  return (
    <Page title="Alerts" tools={tools}>
      <Loaded what="The alerts cannot be shown" from={api}>
        {({ groups }) => {
          const some = groups.map((g) => ({ ...g, rules: g.rules.filter(match) })).filter((g) => g.rules.length);
          if (!groups.some((g) => g.rules.some((r) => r.type === "alerting"))) return none;
          if (!some.length) return <Empty title="No alert matches">Change the state or the text above.</Empty>;
          return some.map((g) => (
            <section key={g.file + g.name} className="card" aria-label={`Group ${g.name}`}>
              <div className="graph-bar">
                <strong>{g.name}</strong>
                <span className="muted">{g.file}</span>
                <span className="grow" />
                <Badge tone={stateTone[worst(g.rules)]!}>{worst(g.rules)}</Badge>
              </div>
              {g.rules.map((r, i) => (
                <AlertRule key={i} rule={r} />
              ))}
            </section>
          ));
        }}
      </Loaded>
    </Page>
  );
}

function AlertRule({ rule }: { rule: Rule }) {
  const [open, setOpen] = useState(rule.state === "firing");
  const alerts = rule.alerts ?? [];
  return (
    <div className="rule">
      <button className="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name={open ? "chevron" : "right"} />
        <strong>{rule.name}</strong>
        <Badge tone={stateTone[rule.state ?? "unknown"]!}>
          {rule.state} {alerts.length > 0 && `(${alerts.length})`}
        </Badge>
      </button>
      {open && (
        <>
          <Definition rule={rule} />
          {alerts.length > 0 && (
            <div className="scroll-table" tabIndex={0} role="region" aria-label={`Alerts of ${rule.name}`}>
              <table className="plain">
                <thead>
                  <tr>
                    <th scope="col">Labels</th>
                    <th scope="col">State</th>
                    <th scope="col">Active since</th>
                    <th scope="col" className="num">
                      Value
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {alerts.map((a, i) => (
                    <tr key={i}>
                      <td>
                        <LabelSet labels={a.labels} />
                        {Object.entries(a.annotations).map(([k, v]) => (
                          <div key={k} className="muted">
                            {k}: {v}
                          </div>
                        ))}
                      </td>
                      <td>
                        <Badge tone={stateTone[a.state] ?? "plain"}>{a.state}</Badge>
                      </td>
                      <td className="nowrap">{a.activeAt ? ago(a.activeAt) : ""}</td>
                      <td className="num mono">{a.value}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </>
      )}
    </div>
  );
}
