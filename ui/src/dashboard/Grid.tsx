/* The grid of panels, section by section. On a narrow screen panels stand below each other. */
import { useContext, useMemo, useState } from "react";
import { Icon } from "../components/icons";
import { interpolate } from "../model/interpolate";
import { columns, layout, pixelHeight, type RepeatValues } from "../model/layout";
import type { Panel } from "../model/types";
import { allValue } from "../model/variables";
import { Page } from "./context";
import { PanelView } from "./PanelView";

export function Grid({ panels }: { panels: Panel[] }) {
  const page = useContext(Page)!;
  const [toggled, setToggled] = useState<Record<string, boolean>>({});
  const repeating = JSON.stringify(page.variables.map((v) => [v.model.name, v.value, v.value.includes(allValue) ? v.options.length : 0]));
  const sections = useMemo(() => {
    const repeats: RepeatValues = (name) => {
      const v = page.variables.find((x) => x.model.name === name);
      if (!v) return [];
      if (v.value.includes(allValue)) return v.options;
      return v.value.map((value) => v.options.find((o) => o.value === value) ?? { value, text: value });
    };
    return layout(panels, toggled, repeats);
  }, [panels, toggled, repeating]);
  return (
    <div className="grid-page">
      {sections.map((s) => (
        <div key={s.key} className="grid-section">
          {s.row && (
            <button className="row-head" aria-expanded={!s.collapsed} onClick={() => setToggled((t) => ({ ...t, [s.key]: !s.collapsed }))}>
              <Icon name={s.collapsed ? "right" : "chevron"} size={14} />
              <h2>{interpolate(s.row.title || "Row", (n) => (s.scope[n] ? { value: s.scope[n].value, text: s.scope[n].text } : page.lookup(n)))}</h2>
              {s.collapsed && <span className="count">{s.row.panels?.length ?? 0} panels</span>}
            </button>
          )}
          {s.items.length > 0 && (
            <div className="grid" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
              {s.items.map((i) => (
                <div key={i.key} className="cell" style={{ gridColumn: `${i.pos.x + 1} / span ${i.pos.w}`, gridRow: `${i.pos.y + 1} / span ${i.pos.h}` }}>
                  <PanelView panel={i.panel} scope={i.scope} height={pixelHeight(i.pos.h)} />
                </div>
              ))}
            </div>
          )}
        </div>
      ))}
    </div>
  );
}
