/* Takes a Grafana dashboard's JSON, asks for the data sources it wants, and hands it to the server. */
import "../styles/dashboard.css";
import { useMemo, useState, type FormEvent } from "react";
import { asApiError, postJson, type ApiError } from "../api/http";
import { dataSources } from "../boot";
import { Dialog } from "../components/Dialog";
import { navigate } from "../lib/router";
import { readImport, type ImportInput } from "./read_import";

const sourcesFor = (i: ImportInput) => dataSources().filter((d) => !i.pluginId || d.type === i.pluginId);

export default function ImportDialog({ close }: { close: () => void }) {
  const [text, setText] = useState("");
  const [values, setValues] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const parsed = useMemo(() => readImport(text), [text]);
  const valueOf = (i: ImportInput) => values[i.name] ?? (i.type === "datasource" ? (sourcesFor(i)[0]?.uid ?? "") : (i.value ?? ""));
  const missing = parsed.inputs.find((i) => i.type === "datasource" && !valueOf(i));

  async function send(overwrite: boolean) {
    if (!parsed.json) return;
    setBusy(true);
    setError(null);
    try {
      const inputs = parsed.inputs.map((i) => ({ name: i.name, type: i.type, pluginId: i.pluginId, value: valueOf(i) }));
      const a = await postJson<{ url?: string; importedUrl?: string; uid: string }>("/api/dashboards/import", { dashboard: { ...parsed.json, id: null }, inputs, overwrite, folderUid: "" });
      navigate(a.importedUrl ?? a.url ?? `/d/${a.uid}`);
    } catch (e) {
      setError(asApiError(e));
      setBusy(false);
    }
  }

  return (
    <Dialog title="Import a dashboard" close={close} wide>
      <form
        className="dialog-form"
        onSubmit={(e: FormEvent) => {
          e.preventDefault();
          void send(false);
        }}
      >
        <label className="field">
          <span>File</span>
          <input type="file" accept=".json,application/json" onChange={(e) => void e.target.files?.[0]?.text().then(setText)} />
        </label>
        <label className="field">
          <span>or its JSON</span>
          <textarea className="input mono json" style={{ height: "28vh" }} spellCheck={false} value={text} onChange={(e) => setText(e.target.value)} aria-invalid={!!parsed.problem} />
        </label>
        <div aria-live="polite">{parsed.problem && <div className="notice bad">{parsed.problem}</div>}</div>
        {parsed.title && <strong>{parsed.title}</strong>}
        {parsed.inputs.map((i) => (
          <label className="field" key={i.name}>
            <span>
              {i.label || i.name}
              {i.description ? `: ${i.description}` : ""}
            </span>
            {i.type === "datasource" ? (
              <select className="input" value={valueOf(i)} onChange={(e) => setValues({ ...values, [i.name]: e.target.value })}>
                {sourcesFor(i).map((d) => (
                  <option key={d.uid} value={d.uid}>
                    {d.name}
                  </option>
                ))}
              </select>
            ) : (
              <input className="input" value={valueOf(i)} onChange={(e) => setValues({ ...values, [i.name]: e.target.value })} />
            )}
          </label>
        ))}
        <div aria-live="assertive">
          {missing && <div className="notice">There is no data source of type “{missing.pluginId}” here. The panels that use it will say so.</div>}
          {error && <div className="notice bad">{error.status === 412 ? "A dashboard of this name or uid is already here. Replace it, or change the title and uid in the JSON." : `${error.message} ${error.hint}`}</div>}
        </div>
        <div className="dialog-foot">
          <span className="grow" />
          {error?.status === 412 && (
            <button type="button" className="btn" onClick={() => void send(true)}>
              Replace it
            </button>
          )}
          <button className="btn primary" disabled={busy || !parsed.json}>
            {busy ? "Importing…" : "Import"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
