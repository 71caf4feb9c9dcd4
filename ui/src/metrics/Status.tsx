/* What the engine says of itself: runtime and build, store statistics, flags, configuration. */
import { useMemo, useState } from "react";
import { Icon } from "../components/icons";
import { Empty } from "../components/States";
import { Loaded, Page, Search, useApi } from "./Frame";

function Pairs({ title, rows }: { title: string; rows: [string, string | number | boolean | undefined][] }) {
  const shown = rows.filter(([, v]) => v !== undefined && v !== "");
  return (
    <section className="card" aria-label={title}>
      <div className="graph-bar">
        <strong>{title}</strong>
      </div>
      <table className="plain">
        <tbody>
          {shown.map(([k, v]) => (
            <tr key={k}>
              <th scope="row" className="name-cell">
                {k}
              </th>
              <td>{String(v)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const runtimeNames: Record<string, string> = {
  startTime: "Started",
  serverTime: "Server time",
  CWD: "Working folder",
  hostname: "Host",
  reloadConfigSuccess: "Configuration loaded",
  lastConfigTime: "Last load of the configuration",
  corruptionCount: "Corrupt files found",
  GOMAXPROCS: "Processors",
  storageRetention: "Samples are kept for",
};
const hidden = new Set(["goroutineCount", "GOGC", "GODEBUG", "GOMEMLIMIT"]);

export function Status() {
  const runtime = useApi<Record<string, string | number | boolean>>("status/runtimeinfo", {}, 15_000);
  const build = useApi<Record<string, string>>("status/buildinfo");
  return (
    <Page title="Runtime and build">
      <Loaded what="The runtime information cannot be shown" from={runtime}>
        {(d) => (
          <Pairs
            title="Runtime"
            rows={Object.entries(d)
              .filter(([k]) => !hidden.has(k))
              .map(([k, v]) => [runtimeNames[k] ?? k, v])}
          />
        )}
      </Loaded>
      <Loaded what="The build information cannot be shown" from={build}>
        {(d) => (
          <Pairs
            title="Build"
            rows={[
              ["Cairn", d.cairnVersion],
              ["Speaks the API of Prometheus", d.version],
              ["Revision", d.revision],
              ["Built", d.buildDate],
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

export function Flags() {
  const api = useApi<Record<string, string>>("status/flags");
  const [find, setFind] = useState("");
  return (
    <Page title="Command-line flags" tools={<Search value={find} onChange={setFind} what="Flag" />}>
      <Loaded what="The flags cannot be shown" from={api}>
        {(d) => {
          const rows = Object.entries(d).filter(([k, v]) => (k + v).toLowerCase().includes(find.toLowerCase()));
          if (!rows.length) return <Empty title="No flags">{find ? "None matches." : "The program was started without flags of its own."}</Empty>;
          return (
            <section className="card" aria-label="Flags">
              <table className="plain">
                <tbody>
                  {rows.sort().map(([k, v]) => (
                    <tr key={k}>
                      <th scope="row" className="name-cell mono">
                        --{k}
                      </th>
                      <td className="mono">{v}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          );
        }}
      </Loaded>
    </Page>
  );
}

export function Config() {
  const api = useApi<{ yaml: string }>("status/config");
  const [copied, setCopied] = useState(false);
  const copy = (text: string) => {
    void navigator.clipboard?.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <Page
      title="Configuration"
      tools={
        api.data?.yaml ? (
          <button className="btn" onClick={() => copy(api.data!.yaml)}>
            <Icon name="copy" size={14} /> {copied ? "Copied" : "Copy"}
          </button>
        ) : null
      }
    >
      <Loaded what="The configuration cannot be shown" from={api}>
        {(d) =>
          d.yaml ? (
            <pre className="card yaml" tabIndex={0}>
              {d.yaml}
            </pre>
          ) : (
            <Empty title="No configuration file">The program runs with its own defaults.</Empty>
          )
        }
      </Loaded>
    </Page>
  );
}

interface Row { name: string; value: number }
interface Tsdb {
  headStats: { numSeries: number; numLabelPairs: number; chunkCount: number; minTime: number; maxTime: number };
  seriesCountByMetricName: Row[];
  labelValueCountByLabelName: Row[];
  memoryInBytesByLabelName: Row[];
  seriesCountByLabelValuePair: Row[];
}

function Top({ title, what, rows }: { title: string; what: string; rows: Row[] }) {
  const most = Math.max(1, ...rows.map((r) => r.value));
  return (
    <section className="card" aria-label={title}>
      <div className="graph-bar">
        <strong>{title}</strong>
      </div>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className="num">
              {what}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={r.name}>
              <td className="share" style={{ backgroundSize: `${(100 * r.value) / most}% 100%` }}>
                {r.name}
              </td>
              <td className="num">{r.value.toLocaleString("en")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function TsdbStatus() {
  const api = useApi<Tsdb>("status/tsdb", { limit: 10 }, 30_000);
  const time = useMemo(() => (ms: number) => (ms > 0 && ms < 8e15 ? new Date(ms).toISOString().replace("T", " ").slice(0, 19) + " UTC" : "none"), []);
  return (
    <Page title="TSDB status">
      <Loaded what="The store's statistics cannot be shown" from={api}>
        {(d) => (
          <>
            <Pairs
              title="Head"
              rows={[
                ["Series", d.headStats.numSeries.toLocaleString("en")],
                ["Chunks", d.headStats.chunkCount.toLocaleString("en")],
                ["Label pairs", d.headStats.numLabelPairs.toLocaleString("en")],
                ["Oldest sample", time(d.headStats.minTime)],
                ["Newest sample", time(d.headStats.maxTime)],
              ]}
            />
            <div className="two-columns">
              <Top title="Metric names with most series" what="Series" rows={d.seriesCountByMetricName} />
              <Top title="Labels with most values" what="Values" rows={d.labelValueCountByLabelName} />
              <Top title="Label pairs with most series" what="Series" rows={d.seriesCountByLabelValuePair} />
              <Top title="Labels with most bytes" what="Bytes" rows={d.memoryInBytesByLabelName} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}
