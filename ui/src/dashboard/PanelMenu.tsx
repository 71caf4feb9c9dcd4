/* What can be done with a panel. */
import { lazy, Suspense, useContext, useState } from "react";
import { basePath } from "../api/http";
import { Icon } from "../components/icons";
import { menuKeys, Popover } from "../components/Popover";
import { navigate, place, setQuery } from "../lib/router";
import { safeUrl } from "../lib/target";
import { interpolate, type Lookup } from "../model/interpolate";
import type { Panel } from "../model/types";
import type { PanelData } from "../query/run";
import { Page } from "./context";
import { exploreLink } from "./explore_link";
import { urlVariables } from "./links";

const Inspect = lazy(() => import("./Inspect"));

interface Props { panel: Panel; title: string; data: PanelData | null; lookup: Lookup; alone?: boolean }

export function PanelMenu({ panel, title, data, lookup, alone }: Props) {
  const page = useContext(Page)!;
  const [inspecting, setInspecting] = useState(false);
  const explore = exploreLink(panel, lookup, page.range.raw);
  const links = (panel.links ?? []).flatMap((l) => {
    const url = safeUrl(interpolate(l.url ?? "", urlVariables(page)));
    return url ? [{ title: interpolate(l.title || url, lookup), url, blank: l.targetBlank }] : [];
  });
  return (
    <>
      <Popover name={`Menu of ${title || "this panel"}`} className="btn quiet icon small panel-menu" align="right" role="menu" label={<Icon name="dots" />}>
        {(close) => {
          const act = (f: () => void) => () => {
            close();
            f();
          };
          return (
            <div className="menu" role="menu" onKeyDown={menuKeys}>
              <button role="menuitem" autoFocus onClick={act(() => setQuery({ viewPanel: alone ? null : String(panel.id) }, false))}>
                <Icon name="expand" size={14} />
                {alone ? "Back to the dashboard" : "View"}
                <kbd>v</kbd>
              </button>
              {explore && (
                <button role="menuitem" onClick={act(() => navigate(explore))}>
                  <Icon name="compass" size={14} />
                  Explore
                  <kbd>x</kbd>
                </button>
              )}
              <button role="menuitem" onClick={act(() => setInspecting(true))}>
                <Icon name="info" size={14} />
                Inspect
              </button>
              <button
                role="menuitem"
                onClick={act(() => {
                  const { path, query } = place();
                  query.set("viewPanel", String(panel.id));
                  query.set("from", String(page.range.from));
                  query.set("to", String(page.range.to));
                  void navigator.clipboard?.writeText(`${location.origin}${basePath()}${path}?${query}`);
                })}
              >
                <Icon name="link" size={14} />
                Copy link
              </button>
              {links.map((l) => (
                <a key={l.url + l.title} role="menuitem" href={l.url} target={l.blank ? "_blank" : undefined} rel="noreferrer">
                  {l.title}
                </a>
              ))}
            </div>
          );
        }}
      </Popover>
      {inspecting && (
        <Suspense fallback={null}>
          <Inspect panel={panel} title={title} data={data} close={() => setInspecting(false)} />
        </Suspense>
      )}
    </>
  );
}
