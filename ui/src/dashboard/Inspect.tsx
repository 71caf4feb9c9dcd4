/* Behind a panel: its data as a table and CSV, the queries as they were sent, and its JSON. */
import { useContext, useMemo, useState } from "react";
import { Dialog } from "../components/Dialog";
import { formatTime } from "../lib/time";
import type { Panel } from "../model/types";
import TablePanel from "../panels/TablePanel";
import type { PanelData } from "../query/run";
import { applyFieldConfig } from "../semantics/fieldconfig";
import { fieldName, timeField, type Frame } from "../semantics/frame";
import { joinSeries, type Value } from "../charts/join";
import { Page } from "./context";
import { csvOf } from "./csv";

/* Time series side by side on one clock; anything else as it is. */
function joined(frames: Frame[]): Frame[] {
  const series = frames.filter((f) => timeField(f) && f.fields.length === 2);
  if (series.length < 2 || series.length !== frames.length) return frames;
  const values = series.map((f) => f.fields.find((x) => x.type !== "time")!);
  const j = joinSeries(series.map((f, i) => ({ times: timeField(f)!.values as number[], values: values[i]!.values as Value[] })));
  return [
    {
      length: j.times.length,
      fields: [{ name: "Time", type: "time", values: j.times, config: {} }, ...values.map((v, i) => ({ ...v, name: fieldName(v, series[i]!, series), config: { ...v.config, displayName: fieldName(v, series[i]!, series) }, values: j.columns[i]! }))],
    },
  ];
}

type Tab = "Data" | "Queries" | "JSON";

export default function Inspect({ panel, title, data, close }: { panel: Panel; title: string; data: PanelData | null; close: () => void }) {
  const page = useContext(Page)!;
  const [tab, setTab] = useState<Tab>("Data");
  const frames = useMemo(() => applyFieldConfig(joined(data?.frames ?? []), { defaults: { ...panel.fieldConfig?.defaults, displayName: undefined, links: undefined, custom: {} } }, { theme: page.theme, zone: page.zone, replace: (t) => t }), [data, panel, page]);
  function download() {
    const f = frames[0];
    if (!f) return;
    const url = URL.createObjectURL(new Blob([csvOf(f, f.fields.map((x) => x.state!.displayName))], { type: "text/csv" }));
    const a = document.createElement("a");
    a.href = url;
    a.download = `${title || "panel"}.csv`;
    a.click();
    URL.revokeObjectURL(url);
  }
  return (
    <Dialog title={`Inspect: ${title || panel.type}`} close={close} wide>
      <div className="tabs">
        <div role="tablist" aria-label="What to see">
        {(["Data", "Queries", "JSON"] as Tab[]).map((t) => (
          <button key={t} role="tab" aria-selected={tab === t} onClick={() => setTab(t)}>
            {t}
          </button>
        ))}
        </div>
        <span className="grow" />
        {tab === "Data" && (
          <button className="btn" onClick={download} disabled={!frames.length}>
            Download CSV
          </button>
        )}
      </div>
      <div className="dialog-body" role="tabpanel">
        {tab === "Data" && <TablePanel panel={{ id: panel.id, type: "table", title }} frames={frames} width={900} height={460} from={page.range.from} to={page.range.to} zone={page.zone} theme={page.theme} graphTooltip={0} replace={(t) => t} />}
        {tab === "Queries" &&
          (data?.asked ?? []).map((q) => (
            <div key={q.refId} className="asked">
              <div>
                <b>{q.refId}</b> {q.source}, step {q.step ? q.step / 1000 : "-"} s, {formatTime(data!.from, page.zone)} to {formatTime(data!.to, page.zone)}
              </div>
              <pre>{q.expr}</pre>
            </div>
          ))}
        {tab === "JSON" && <pre className="text-code">{JSON.stringify(panel, null, 2)}</pre>}
      </div>
    </Dialog>
  );
}
