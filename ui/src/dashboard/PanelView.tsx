/* One panel: its frame, and what it shows in each of its states (loading, empty, failed, partial, drawn). */
import { memo, Suspense, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { asApiError } from "../api/http";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { Icon } from "../components/icons";
import { Popover } from "../components/Popover";
import { Empty, Failed } from "../components/States";
import { useSize } from "../lib/useSize";
import { interpolate } from "../model/interpolate";
import type { ScopedValue } from "../model/layout";
import type { Panel } from "../model/types";
import { panelTypes } from "../panels/registry";
import { panelRange, type PanelData } from "../query/run";
import { applyFieldConfig } from "../semantics/fieldconfig";
import { emptyFrames, type Frame } from "../semantics/frame";
import { Page } from "./context";
import { PanelMenu } from "./PanelMenu";
import { useTransformed } from "./useTransformed";
import { usePanelData } from "./usePanelData";

function useVisible(ref: React.RefObject<HTMLElement | null>): boolean {
  const [visible, setVisible] = useState(false);
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el) return;
    const margin = 200;
    const box = el.getBoundingClientRect();
    if (box.top < innerHeight + margin && box.bottom > -margin) setVisible(true);
    const watch = new IntersectionObserver((all) => setVisible(all[all.length - 1]!.isIntersecting), { rootMargin: `${margin}px` });
    watch.observe(el);
    return () => watch.disconnect();
  }, [ref]);
  return visible;
}

interface Props { panel: Panel; scope: Record<string, ScopedValue>; height: number; alone?: boolean }

export const PanelView = memo(function PanelView({ panel, scope, height, alone }: Props) {
  const page = useContext(Page)!;
  const root = useRef<HTMLElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const size = useSize(body);
  const visible = useVisible(root);
  const type = panelTypes[panel.type];
  const run = usePanelData(panel, scope, visible, size.width);
  const replace = useMemo(() => (text: string, extra?: Record<string, string>) => interpolate(text, run.lookup, undefined, extra), [run.lookup]);
  const title = replace(panel.title ?? "");
  const override = panelRange(panel, { ...page.range, lookup: run.lookup }).note;
  return (
    <section ref={root} className={`panel${panel.transparent ? " clear" : ""}`} style={{ height: alone ? "100%" : height }} aria-label={title || type?.name || panel.type} data-panel-id={panel.id}>
      <header className={`panel-head${title || panel.description ? "" : " bare"}`}>
        {title && <h2 title={title}>{title}</h2>}
        {panel.description && <Description text={replace(panel.description)} />}
        {override && !panel.hideTimeOverride && <span className="override">{override}</span>}
        <span className="grow" />
        {run.data && <Problems data={run.data} />}
        <PanelMenu panel={panel} title={title} data={run.data} lookup={run.lookup} alone={alone} />
      </header>
      {run.loading && <div className={`progress${run.data ? "" : " first"}`} role="progressbar" aria-label="Loading" />}
      <div className={`panel-body${run.loading && run.data ? " old" : ""}`} ref={body}>
        <ErrorBoundary what={`This ${type?.name ?? panel.type} panel could not be drawn`}>
          <Body panel={panel} data={run.data} replace={replace} width={size.width} height={size.height} retry={run.retry} painted={run.painted} />
        </ErrorBoundary>
      </div>
    </section>
  );
});

interface BodyProps { panel: Panel; data: PanelData | null; replace: (t: string, s?: Record<string, string>) => string; width: number; height: number; retry: () => void; painted: () => void }

function Body({ panel, data, replace, width, height, retry, painted }: BodyProps) {
  const page = useContext(Page)!;
  const type = panelTypes[panel.type];
  const transformed = useTransformed(panel, data);
  const frames = useMemo<Frame[]>(
    () => (transformed.frames ? applyFieldConfig(transformed.frames, panel.fieldConfig, { theme: page.theme, zone: page.zone, replace }) : []),
    [transformed.frames, panel, page.theme, page.zone, replace],
  );
  if (!type)
    return (
      <Settled painted={painted} on={panel}>
        <Empty title={`Panels of type “${panel.type}” cannot be drawn yet`}>Its settings stay in the dashboard as they are. Its data can be seen in Explore, from the panel's menu.</Empty>
      </Settled>
    );
  const Component = type.component;
  if (!type.static) {
    if (!data || (!transformed.frames && !transformed.error)) return <div className="skel-chart" role="status" aria-label="Loading" />;
    if (transformed.error) return <Settled painted={painted} on={data}><Failed error={transformed.error} what="The data could not be transformed" /></Settled>;
    if (data.errors.length && !data.frames.length) return <Failed error={data.errors[0]!.error} what="The query failed" retry={retry} />;
    if (!(panel.targets ?? []).some((t) => !t.hide && t.expr)) return <Settled painted={painted} on={data}><Empty title="This panel has no query" /></Settled>;
    if (emptyFrames(frames) && panel.type !== "logs" && panel.type !== "stat" && panel.type !== "gauge" && panel.type !== "bargauge")
      return (
        <Settled painted={painted} on={data}>
          <Empty title={panel.fieldConfig?.defaults?.noValue || "No data"}>The query selects nothing in this time range.</Empty>
        </Settled>
      );
  }
  if (width < 1) return null;
  return (
    <Suspense fallback={<div className="skel-chart" role="status" aria-label="Loading" />}>
      <Settled painted={painted} on={data}>
        <Component
          panel={panel}
          frames={frames}
          width={width}
          height={height}
          from={data?.from ?? page.range.from}
          to={data?.to ?? page.range.to}
          zone={page.zone}
          theme={page.theme}
          graphTooltip={page.graphTooltip}
          replace={replace}
          onZoom={page.zoom}
        />
      </Settled>
    </Suspense>
  );
}

/* Reports once what is inside is on the screen. */
function Settled({ children, painted, on }: { children: React.ReactNode; painted: () => void; on: unknown }) {
  const now = useRef(painted);
  now.current = painted;
  useEffect(() => {
    const frame = requestAnimationFrame(() => now.current());
    return () => cancelAnimationFrame(frame);
  }, [on]);
  return children;
}

function Description({ text }: { text: string }) {
  return (
    <Popover name="About this panel" className="btn quiet icon small" label={<Icon name="info" size={14} />}>
      {() => <div className="panel-note">{text}</div>}
    </Popover>
  );
}

/* Some queries failed, or came with warnings. */
function Problems({ data }: { data: PanelData }) {
  const failed = data.frames.length ? data.errors : [];
  if (!failed.length && !data.notices.length) return null;
  return (
    <Popover name={failed.length ? "A part of this panel failed" : "Notices of the data source"} className={`btn quiet icon small ${failed.length ? "bad" : "warn"}`} align="right" label={<Icon name="warn" size={14} />}>
      {() => (
        <div className="panel-note">
          {failed.map((f) => (
            <p key={f.refId}>
              <b>Query {f.refId} failed.</b> {asApiError(f.error).message} {asApiError(f.error).hint}
            </p>
          ))}
          {data.notices.map((n) => (
            <p key={n}>{n}</p>
          ))}
        </div>
      )}
    </Popover>
  );
}
