/* Dashboards as links: starred ones, and those a search finds. */
import { useEffect, useState } from "react";
import { searchDashboards, type SearchHit } from "../api/grafana";
import { Link } from "../components/Link";
import { Empty, Failed, SkeletonRows } from "../components/States";
import { opt, type PanelProps } from "./types";

export default function DashListPanel(p: PanelProps) {
  const [lists, setLists] = useState<[string, SearchHit[]][] | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const stop = new AbortController();
    const limit = String(opt(p.panel, "maxItems", 10));
    const jobs: [string, Record<string, string>][] = [];
    if (opt(p.panel, "showStarred", true)) jobs.push(["Starred dashboards", { starred: "true" }]);
    if (opt(p.panel, "showSearch", false)) {
      const folder = opt<string>(p.panel, "folderUID", "");
      const tag = opt<string[]>(p.panel, "tags", [])[0];
      jobs.push(["Search", { query: p.replace(opt<string>(p.panel, "query", "")), ...(folder && { folderUIDs: folder }), ...(tag && { tag }) }]);
    }
    Promise.all(jobs.map(async ([title, q]): Promise<[string, SearchHit[]]> => [title, await searchDashboards({ type: "dash-db", limit, ...q }, stop.signal)])).then(setLists, (e) => !stop.signal.aborted && setError(e));
    return () => stop.abort();
  }, [p.panel]);
  if (error) return <Failed error={error} what="The dashboards could not be listed" />;
  if (!lists) return <SkeletonRows rows={3} />;
  if (lists.every(([, l]) => !l.length)) return <Empty title="No dashboards to list" />;
  return (
    <div className="markdown">
      {lists.map(([title, list]) => (
        <section key={title}>
          {opt(p.panel, "showHeadings", true) && <h3>{title}</h3>}
          <ul>
            {list.map((h) => (
              <li key={h.uid}>
                <Link to={h.url}>{h.title}</Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}
