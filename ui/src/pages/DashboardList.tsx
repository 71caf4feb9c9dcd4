import { useEffect, useState } from "react";
import { getJson } from "../api/http";
import { Bar } from "../components/Bar";
import { Link } from "../components/Link";
import { Empty, Failed, SkeletonRows } from "../components/States";

interface Hit { uid: string; title: string; url: string; tags?: string[]; folderTitle?: string }

export default function DashboardList() {
  const [hits, setHits] = useState<Hit[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [filter, setFilter] = useState("");
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    document.title = "Dashboards · Cairn";
    const stop = new AbortController();
    setError(null);
    getJson<Hit[]>("/api/search?type=dash-db", stop.signal).then(setHits, (e) => !stop.signal.aborted && setError(e));
    return () => stop.abort();
  }, [turn]);

  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = hits?.filter((h) => words.every((w) => `${h.title} ${h.folderTitle ?? ""} ${(h.tags ?? []).join(" ")}`.toLowerCase().includes(w)));
  return (
    <>
      <Bar />
      <main className="page">
        <div style={{ display: "flex", alignItems: "center", gap: 12, flexWrap: "wrap" }}>
          <h1 style={{ flex: 1 }}>Dashboards</h1>
          <input className="input" style={{ width: 260 }} type="search" placeholder="Filter by name, folder or tag" aria-label="Filter dashboards" value={filter} onChange={(e) => setFilter(e.target.value)} />
        </div>
        <div className="card" style={{ minHeight: 160 }}>
          {error ? (
            <Failed error={error} what="The list of dashboards could not be read" retry={() => setTurn(turn + 1)} />
          ) : !shown ? (
            <SkeletonRows />
          ) : shown.length ? (
            <ul className="dash-list">
              {shown.map((h) => (
                <li key={h.uid}>
                  <Link to={h.url?.startsWith("/d/") ? h.url : `/d/${encodeURIComponent(h.uid)}`}>
                    <span>{h.title}</span>
                    {h.folderTitle && <span className="where">{h.folderTitle}</span>}
                    <span style={{ flex: 1 }} />
                    {(h.tags ?? []).map((t) => (
                      <span key={t} className="tag">
                        {t}
                      </span>
                    ))}
                  </Link>
                </li>
              ))}
            </ul>
          ) : hits!.length ? (
            <Empty title={`No dashboard matches “${filter}”`}>Try fewer words.</Empty>
          ) : (
            <Empty title="No dashboards yet">Put a dashboard's JSON file into the provisioning folder, or send it to POST /api/dashboards/db.</Empty>
          )}
        </div>
      </main>
    </>
  );
}
