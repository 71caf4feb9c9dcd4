/* A dashboard: reads it, keeps its time range and variables in the address, and draws its panels. */
import "../styles/dashboard.css";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { readDashboard, searchDashboards, setStar, type LoadedDashboard, type SearchHit } from "../api/grafana";
import { boot } from "../boot";
import { Bar } from "../components/Bar";
import { Icon } from "../components/icons";
import { Link } from "../components/Link";
import { menuKeys, Popover } from "../components/Popover";
import { RefreshPicker } from "../components/RefreshPicker";
import { Failed } from "../components/States";
import { TimePicker } from "../components/TimePicker";
import { Page, type PageState } from "../dashboard/context";
import { exploreLink } from "../dashboard/explore_link";
import { Grid } from "../dashboard/Grid";
import { timeQuery, urlVariables, variablesQuery } from "../dashboard/links";
import { PanelView } from "../dashboard/PanelView";
import { loadingPanels } from "../dashboard/useLoading";
import { VariableBar } from "../dashboard/VariableBar";
import { VariableSet } from "../dashboard/variable_set";
import { useKeys } from "../lib/keys";
import { mark, resetDash } from "../lib/marks";
import { navigate, place, setQuery, usePlace } from "../lib/router";
import { useStore } from "../lib/store";
import { safeUrl } from "../lib/target";
import { useTheme } from "../lib/theme";
import { parseDuration, parseRange, shifted, zoomedOut, type RawRange, type TimeRange } from "../lib/time";
import { interpolate } from "../model/interpolate";
import { allPanels } from "../model/layout";
import { migrated } from "../model/migrate";
import type { DashboardJson, DashboardLink, Panel } from "../model/types";
import { lookupIn } from "../model/variables";
import { forgetColors } from "../semantics/color";

const SaveDialog = lazy(() => import("../dashboard/SaveDialog"));
const Help = lazy(() => import("../dashboard/Help"));

/* Asked for as soon as this file runs, before anything is drawn. */
let early: { uid: string; answer: Promise<LoadedDashboard> } | null = null;
export const uidOf = (path: string) => decodeURIComponent(/^\/d\/([^/]+)/.exec(path)?.[1] ?? "");
export function askEarly(): void {
  const uid = uidOf(place().path);
  if (!uid || early) return;
  early = { uid, answer: readDashboard(uid) };
  early.answer.catch(() => undefined);
}
function take(uid: string, signal: AbortSignal): Promise<LoadedDashboard> {
  const had = early;
  early = null;
  return had?.uid === uid ? had.answer : readDashboard(uid, signal);
}

export default function DashboardPage() {
  const uid = uidOf(usePlace().path);
  const [loaded, setLoaded] = useState<LoadedDashboard | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setError(null);
    take(uid, stop.signal).then(
      (d) => {
        if (stop.signal.aborted) return;
        mark("dashboard-json");
        forgetColors();
        setLoaded(d);
      },
      (e: unknown) => !stop.signal.aborted && setError(e),
    );
    return () => stop.abort();
  }, [uid, turn]);
  if (error)
    return (
      <>
        <Bar />
        <main className="page">
          <Failed error={error} what="This dashboard could not be read" retry={() => setTurn(turn + 1)} />
        </main>
      </>
    );
  if (!loaded) return <Skeleton />;
  return <Loaded key={`${uid}/${loaded.json.version}/${turn}`} uid={uid} loaded={loaded} reload={() => setTurn(turn + 1)} />;
}

/* The page's shape before the file is there, so that nothing jumps. */
function Skeleton() {
  return (
    <>
      <Bar />
      <div className="toolbar" aria-hidden="true">
        <div className="skel" style={{ width: 220, height: 20 }} />
      </div>
      <div className="grid-page" role="status" aria-label="Loading the dashboard">
        <div className="grid" style={{ gridTemplateColumns: "repeat(24, minmax(0, 1fr))" }}>
          {[6, 6, 6, 6].map((w, i) => (
            <div key={i} className="panel" style={{ gridColumn: `span ${w}`, height: 144 }} />
          ))}
          {[12, 12].map((w, i) => (
            <div key={i} className="panel" style={{ gridColumn: `span ${w}`, height: 296 }} />
          ))}
        </div>
      </div>
    </>
  );
}

function useTimeRange(json: DashboardJson, query: URLSearchParams): { raw: RawRange; range: TimeRange; zone: string; turn: number; refresh: string; again: () => void } {
  const zoneSetting = query.get("timezone") || json.timezone || "browser";
  const raw = { from: query.get("from") ?? json.time?.from ?? "now-6h", to: query.get("to") ?? json.time?.to ?? "now" };
  const refresh = query.get("refresh") ?? (json.refresh || "");
  const [turn, setTurn] = useState(0);
  const range = useMemo(() => {
    const o = { zone: zoneSetting, fiscal: json.fiscalYearStartMonth, weekStart: ["sunday", "monday"].indexOf(json.weekStart ?? "") < 0 ? 0 : ["sunday", "monday"].indexOf(json.weekStart!) };
    return parseRange(raw, o) ?? parseRange({ from: "now-6h", to: "now" }, o)!;
  }, [raw.from, raw.to, zoneSetting, turn]);
  useEffect(() => {
    const ms = parseDuration(refresh);
    if (!ms || ms < 1000) return;
    const timer = setInterval(() => document.visibilityState === "visible" && loadingPanels.get() === 0 && setTurn((n) => n + 1), ms);
    return () => clearInterval(timer);
  }, [refresh]);
  return { raw, range, zone: zoneSetting, turn, refresh, again: () => setTurn((n) => n + 1) };
}

function builtins(json: DashboardJson, uid: string, range: TimeRange): Record<string, string> {
  const user = boot().user;
  return {
    __dashboard: json.title ?? "",
    "__dashboard.uid": uid,
    __from: String(range.from),
    __to: String(range.to),
    __name: json.title ?? "",
    __org: "1",
    __user: user?.login ?? "",
    timeFilter: "",
    __timezone: json.timezone ?? "browser",
  };
}

function Loaded({ uid, loaded, reload }: { uid: string; loaded: LoadedDashboard; reload: () => void }) {
  const { query } = usePlace();
  const json = useMemo(() => migrated(loaded.json), [loaded]);
  const time = useTimeRange(json, query);
  const theme = useTheme();
  const [dialog, setDialog] = useState<"save" | "help" | null>(null);
  const set = useMemo(() => {
    resetDash();
    return new VariableSet(json.templating?.list ?? [], query, time.range);
  }, [json]);
  useEffect(() => {
    set.open(new URLSearchParams(location.search));
    return () => set.close();
  }, [set]);
  const variables = useStore(set.store);
  const search = query.toString();
  useEffect(() => set.applyQuery(new URLSearchParams(search)), [set, search]);
  const first = useRef(time.range);
  useEffect(() => {
    if (first.current !== time.range) set.rangeChanged(time.range);
  }, [set, time.range]);
  useEffect(() => {
    document.title = `${json.title ?? "Dashboard"} · Cairn`;
  }, [json]);

  const lookup = useMemo(() => lookupIn(variables, builtins(json, uid, time.range)), [variables, json, uid, time.range]);
  const page = useMemo<PageState>(
    () => ({ uid, title: json.title ?? "", range: time.range, zone: time.zone, theme, graphTooltip: json.graphTooltip ?? 0, variables, lookup, turn: time.turn, zoom: (from, to) => setQuery({ from: String(from), to: String(to) }, false) }),
    [uid, json, time.range, time.zone, theme, variables, lookup, time.turn],
  );
  const setRange = (r: RawRange) => setQuery({ from: r.from, to: r.to }, false);
  const absolute = (r: { from: number; to: number }) => setRange({ from: String(r.from), to: String(r.to) });
  const kiosk = query.has("kiosk");
  const viewing = query.get("viewPanel");
  const viewed = viewing ? allPanels(json.panels ?? []).find((p) => String(p.id) === viewing.replace(/^panel-/, "")) : undefined;

  useKeys({
    "d r": time.again,
    "t z": () => absolute(zoomedOut(time.range)),
    "t ArrowLeft": () => absolute(shifted(time.range, -1)),
    "t ArrowRight": () => absolute(shifted(time.range, 1)),
    "d k": () => setQuery({ kiosk: kiosk ? null : "" }),
    Escape: () => (viewing ? setQuery({ viewPanel: null }, false) : kiosk ? setQuery({ kiosk: null }) : undefined),
    v: () => onPanel(json, (p) => setQuery({ viewPanel: viewing ? null : String(p.id) }, false)),
    x: () => onPanel(json, (p) => void navigate(exploreLink(p, lookup, time.raw) ?? "/explore")),
    "g h": () => navigate("/dashboards"),
    "g e": () => navigate("/explore"),
    "mod+s": loaded.meta.canSave === false ? undefined : () => setDialog("save"),
    "?": () => setDialog("help"),
  });

  return (
    <Page.Provider value={page}>
      {!kiosk && <Bar />}
      {!kiosk && (
        <Toolbar loaded={loaded} json={json} page={page} time={time} setRange={setRange} save={loaded.meta.canSave === false ? null : () => setDialog("save")} help={() => setDialog("help")} />
      )}
      <main className={kiosk ? "dash kiosk" : "dash"}>
        {!kiosk && <VariableBar set={set} variables={variables} />}
        {viewing && !viewed && <div className="notice bad">This dashboard has no panel {viewing}.</div>}
        {viewed ? (
          <div className="alone">
            <PanelView key={"view" + viewed.id} panel={viewed} scope={noScope} height={0} alone />
          </div>
        ) : (
          <Grid panels={json.panels ?? []} />
        )}
        {!(json.panels ?? []).length && (
          <div className="state" style={{ minHeight: 240 }}>
            <strong>This dashboard has no panels</strong>
            <span className="why">Save its JSON with panels in it, or put a file into the provisioning folder.</span>
          </div>
        )}
      </main>
      <Suspense fallback={null}>
        {dialog === "save" && <SaveDialog loaded={loaded} refresh={time.refresh} close={() => setDialog(null)} saved={reload} />}
        {dialog === "help" && <Help close={() => setDialog(null)} />}
      </Suspense>
    </Page.Provider>
  );
}
const noScope = {};

/* The panel under the pointer, or the one that has the focus. */
function onPanel(json: DashboardJson, act: (p: Panel) => void): void {
  const el = document.querySelector<HTMLElement>(".panel:hover[data-panel-id]") ?? document.activeElement?.closest<HTMLElement>("[data-panel-id]");
  const panel = el && allPanels(json.panels ?? []).find((p) => String(p.id) === el.dataset.panelId);
  if (panel) act(panel);
}

interface ToolbarProps { loaded: LoadedDashboard; json: DashboardJson; page: PageState; time: ReturnType<typeof useTimeRange>; setRange: (r: RawRange) => void; save: (() => void) | null; help: () => void }

function Toolbar({ loaded, json, page, time, setRange, save, help }: ToolbarProps) {
  const loading = useStore(loadingPanels) > 0;
  const [starred, setStarred] = useState(!!loaded.meta.isStarred);
  const user = boot().user;
  return (
    <section className="toolbar" aria-label="Dashboard controls">
      <div className="crumbs">
        {loaded.meta.folderTitle && loaded.meta.folderTitle !== "General" && (
          <>
            <Link to={`/dashboards?folder=${encodeURIComponent(loaded.meta.folderTitle)}`}>{loaded.meta.folderTitle}</Link>
            <span aria-hidden="true">/</span>
          </>
        )}
        <h1 title={json.description}>{json.title}</h1>
        {user && !user.isAnonymous && (
          <button
            className={"btn quiet icon small star" + (starred ? " on" : "")}
            aria-pressed={starred}
            aria-label={starred ? "Remove the star" : "Star this dashboard"}
            onClick={() => {
              setStarred(!starred);
              void setStar(page.uid, !starred).catch(() => setStarred(starred));
            }}
          >
            <Icon name="star" size={15} />
          </button>
        )}
      </div>
      <span className="grow" />
      <Links json={json} page={page} />
      <div className="tools">
        <TimePicker raw={time.raw} zone={time.zone} onChange={setRange} onZone={(timezone) => setQuery({ timezone })} />
        <RefreshPicker value={time.refresh} loading={loading} intervals={json.timepicker?.refresh_intervals} onRefresh={time.again} onChange={(v) => setQuery({ refresh: v })} />
        <Popover name="More" className="btn icon" align="right" role="menu" label={<Icon name="dots" />}>
          {(close) => {
            const act = (f: () => void) => () => {
              close();
              f();
            };
            return (
              <div className="menu" role="menu" onKeyDown={menuKeys}>
                {save && (
                  <button role="menuitem" autoFocus onClick={act(save)}>
                    <Icon name="save" size={14} /> Save…
                  </button>
                )}
                <button role="menuitem" onClick={act(() => setQuery({ kiosk: "" }))}>
                  <Icon name="expand" size={14} /> Kiosk
                </button>
                <button role="menuitem" onClick={act(() => download(loaded.text, json.title))}>
                  <Icon name="copy" size={14} /> Download JSON
                </button>
                <button role="menuitem" onClick={act(help)}>
                  <Icon name="info" size={14} /> Keyboard
                </button>
              </div>
            );
          }}
        </Popover>
      </div>
    </section>
  );
}

function download(text: string, title: string | undefined): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const a = document.createElement("a");
  a.href = url;
  a.download = `${title ?? "dashboard"}.json`;
  a.click();
  URL.revokeObjectURL(url);
}

function Links({ json, page }: { json: DashboardJson; page: PageState }) {
  const links = (json.links ?? []).filter((l) => l.type === "dashboards" || (l.type === "link" && l.url));
  if (!links.length) return null;
  const extra = (l: DashboardLink) => [l.keepTime && timeQuery(page), l.includeVars && variablesQuery(page)].filter(Boolean).join("&");
  const href = (l: DashboardLink) => {
    const url = safeUrl(interpolate(l.url!, urlVariables(page)));
    if (!url) return null;
    return extra(l) ? url + (url.includes("?") ? "&" : "?") + extra(l) : url;
  };
  return (
    <nav className="dash-links" aria-label="Links">
      {links.map((l, i) => {
        if (l.type === "dashboards") return <TaggedLinks key={i} link={l} extra={extra(l)} />;
        const to = href(l);
        return (
          to && (
            <a key={i} className="btn quiet" href={to} target={l.targetBlank ? "_blank" : undefined} rel="noreferrer" title={l.tooltip || undefined}>
              {l.title || to}
            </a>
          )
        );
      })}
    </nav>
  );
}

/* All dashboards with the link's tags, side by side or folded into a menu. */
function TaggedLinks({ link, extra }: { link: DashboardLink; extra: string }) {
  const [hits, setHits] = useState<SearchHit[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    const q = new URLSearchParams({ type: "dash-db", limit: "100" });
    for (const t of link.tags ?? []) q.append("tag", t);
    searchDashboards(q, stop.signal).then(setHits, () => undefined);
    return () => stop.abort();
  }, [link]);
  const to = (h: SearchHit) => h.url + (extra ? "?" + extra : "");
  if (!hits.length) return null;
  if (!link.asDropdown)
    return hits.map((h) => (
      <Link key={h.uid} className="btn quiet" to={to(h)}>
        {h.title}
      </Link>
    ));
  return (
    <Popover name={link.title || "Dashboards"} className="btn quiet" align="right" role="menu" label={<>{link.title || "Dashboards"} <Icon name="chevron" size={12} /></>}>
      {() => (
        <div className="menu" role="menu" onKeyDown={menuKeys}>
          {hits.map((h) => (
            <Link key={h.uid} role="menuitem" to={to(h)}>
              {h.title}
            </Link>
          ))}
        </div>
      )}
    </Popover>
  );
}
