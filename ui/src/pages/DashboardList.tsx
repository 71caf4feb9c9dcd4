/* The dashboards, by folder; starred ones first. The filter and the tag are in the address. */
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { searchDashboards, setStar, type SearchHit } from "../api/grafana";
import { boot } from "../boot";
import { Bar } from "../components/Bar";
import { Icon } from "../components/icons";
import { Link } from "../components/Link";
import { Empty, Failed, SkeletonRows } from "../components/States";
import { useKeys } from "../lib/keys";
import { navigate, setQuery, usePlace } from "../lib/router";

const ImportDialog = lazy(() => import("./ImportDialog"));
const mayWrite = () => ["Editor", "Admin"].includes(boot().user?.orgRole ?? "") || !!boot().user?.isGrafanaAdmin;

/* Starred first, then folders by name with those outside a folder last. */
function grouped(hits: SearchHit[]): [string, SearchHit[]][] {
  const groups = new Map<string, SearchHit[]>();
  for (const h of [...hits].sort((a, b) => a.title.localeCompare(b.title, undefined, { numeric: true }))) {
    const name = h.folderTitle && h.folderTitle !== "General" ? h.folderTitle : "";
    groups.set(name, [...(groups.get(name) ?? []), h]);
  }
  const out = [...groups].sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a.localeCompare(b)));
  const starred = hits.filter((h) => h.isStarred);
  return starred.length ? [["Starred", starred], ...out] : out;
}

const urlOf = (h: SearchHit) => (h.url?.startsWith("/d/") ? h.url : `/d/${encodeURIComponent(h.uid)}`);

export default function DashboardList() {
  const { query } = usePlace();
  const filter = query.get("query") ?? "";
  const tag = query.get("tag") ?? "";
  const folder = query.get("folder") ?? "";
  const [hits, setHits] = useState<SearchHit[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  const [importing, setImporting] = useState(false);
  useEffect(() => {
    document.title = "Dashboards · Cairn";
    const stop = new AbortController();
    setError(null);
    searchDashboards({ type: "dash-db", limit: "5000" }, stop.signal).then(setHits, (e) => !stop.signal.aborted && setError(e));
    return () => stop.abort();
  }, [turn]);

  const shown = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    return hits?.filter((h) => (!tag || h.tags?.includes(tag)) && (!folder || h.folderTitle === folder) && words.every((w) => `${h.title} ${h.folderTitle ?? ""} ${(h.tags ?? []).join(" ")}`.toLowerCase().includes(w)));
  }, [hits, filter, tag, folder]);
  const groups = shown ? grouped(shown) : [];
  useKeys({ "/": () => document.querySelector<HTMLInputElement>("#find")?.focus(), "g e": () => navigate("/explore") });

  function star(h: SearchHit) {
    const on = !h.isStarred;
    const put = (v: boolean) => setHits((all) => all?.map((x) => (x.uid === h.uid ? { ...x, isStarred: v } : x)) ?? null);
    put(on);
    void setStar(h.uid, on).catch(() => put(!on));
  }
  return (
    <>
      <Bar />
      <main className="page">
        <div className="list-head">
          <h1>Dashboards</h1>
          {(tag || folder) && (
            <button className="btn quiet" onClick={() => setQuery({ tag: null, folder: null })} aria-label={`Show all, not only ${tag || folder}`}>
              {tag ? <span className="tag">{tag}</span> : folder}
              <Icon name="close" size={12} />
            </button>
          )}
          <input
            id="find"
            className="input"
            type="search"
            placeholder="Filter by name, folder or tag"
            aria-label="Filter dashboards"
            value={filter}
            onChange={(e) => setQuery({ query: e.target.value || null })}
            onKeyDown={(e) => e.key === "Enter" && shown?.[0] && navigate(urlOf(groups[0]![1][0]!))}
          />
          {mayWrite() && (
            <button className="btn" onClick={() => setImporting(true)}>
              <Icon name="plus" size={14} />
              Import
            </button>
          )}
        </div>
        {error ? (
          <div className="card">
            <Failed error={error} what="The list of dashboards could not be read" retry={() => setTurn(turn + 1)} />
          </div>
        ) : !shown ? (
          <div className="card">
            <SkeletonRows />
          </div>
        ) : groups.length ? (
          groups.map(([name, list]) => (
            <section key={name} aria-label={name || "Outside folders"}>
              {(name || groups.length > 1) && (
                <h2 className="list-folder">
                  <Icon name={name === "Starred" ? "star" : "folder"} size={14} />
                  {name || "Outside folders"}
                </h2>
              )}
              <ul className="dash-list card">
                {list.map((h) => (
                  <li key={h.uid}>
                    <Link to={urlOf(h)} className="title">
                      {h.title}
                    </Link>
                    <span className="tags">
                      {(h.tags ?? []).map((t) => (
                        <button key={t} className="tag" onClick={() => setQuery({ tag: t })} title={`Only dashboards with the tag ${t}`}>
                          {t}
                        </button>
                      ))}
                    </span>
                    {boot().user && !boot().user!.isAnonymous && (
                      <button className={"btn quiet icon small star" + (h.isStarred ? " on" : "")} aria-pressed={!!h.isStarred} aria-label={`Star ${h.title}`} onClick={() => star(h)}>
                        <Icon name="star" size={14} />
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            </section>
          ))
        ) : (
          <div className="card" style={{ minHeight: 160 }}>
            {hits!.length ? (
              <Empty title="No dashboard matches">Try fewer words{tag || folder ? ", or take the filter away" : ""}.</Empty>
            ) : (
              <Empty title="No dashboards yet">Put a dashboard's JSON file into the provisioning folder, or send it to POST /api/dashboards/db.</Empty>
            )}
          </div>
        )}
      </main>
      <Suspense fallback={null}>{importing && <ImportDialog close={() => setImporting(false)} />}</Suspense>
    </>
  );
}
