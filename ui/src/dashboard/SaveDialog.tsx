/* Saves what was chosen, as edits to the dashboard's own text; or lets the text itself be edited. */
import { useContext, useState, type FormEvent } from "react";
import { readDashboard, saveDashboard, type LoadedDashboard } from "../api/grafana";
import { asApiError, type ApiError } from "../api/http";
import { Dialog } from "../components/Dialog";
import { setAt } from "../model/jsontext";
import type { DashboardJson } from "../model/types";
import { Page, type PageState } from "./context";

interface Props { loaded: LoadedDashboard; refresh: string; close: () => void; saved: () => void }

/* The current values as the defaults of the file. */
function withVariables(text: string, json: DashboardJson, page: PageState): string {
  (json.templating?.list ?? []).forEach((m, i) => {
    const v = page.variables.find((s) => s.model.name === m.name);
    if (!v || m.type === "constant") return;
    const texts = v.value.map((x) => (x === "$__all" ? "All" : (v.options.find((o) => o.value === x)?.text ?? x)));
    const several = m.multi === true;
    text = setAt(text, ["templating", "list", i, "current"], { ...m.current, text: several ? texts : (texts[0] ?? ""), value: several ? v.value : (v.value[0] ?? "") });
  });
  return text;
}

export default function SaveDialog({ loaded, refresh, close, saved }: Props) {
  const page = useContext(Page)!;
  const [title, setTitle] = useState(loaded.json.title ?? "");
  const [tags, setTags] = useState((loaded.json.tags ?? []).join(", "));
  const [time, setTime] = useState(false);
  const [values, setValues] = useState(false);
  const [message, setMessage] = useState("");
  const [raw, setRaw] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  function edited(): string {
    let text = loaded.text;
    if (title !== (loaded.json.title ?? "")) text = setAt(text, ["title"], title);
    const list = tags.split(",").map((t) => t.trim()).filter(Boolean);
    if (list.join() !== (loaded.json.tags ?? []).join()) text = setAt(text, ["tags"], list);
    if (time) {
      text = setAt(text, ["time"], page.range.raw);
      if (refresh !== (loaded.json.refresh || "")) text = setAt(text, ["refresh"], refresh);
    }
    if (values) text = withVariables(text, loaded.json, page);
    return text;
  }

  async function submit(overwrite: boolean) {
    setBusy(true);
    setError(null);
    try {
      let text = raw ?? edited();
      JSON.parse(text);
      if (overwrite) text = setAt(text, ["version"], (await readDashboard(page.uid)).json.version ?? 0);
      await saveDashboard(text, { folderUid: loaded.meta.folderUid, message, overwrite });
      saved();
      close();
    } catch (e) {
      setError(e instanceof SyntaxError ? asApiError(new Error(`This is not JSON: ${e.message}`)) : asApiError(e));
      setBusy(false);
    }
  }

  const conflict = error?.status === 412;
  const provisioned = loaded.meta.provisioned;
  return (
    <Dialog title="Save dashboard" close={close} wide={raw !== null}>
      <form
        className="dialog-form"
        onSubmit={(e: FormEvent) => {
          e.preventDefault();
          void submit(false);
        }}
      >
        {provisioned && (
          <div className="notice">
            This dashboard comes from a file{loaded.meta.provisionedExternalId ? ` (${loaded.meta.provisionedExternalId})` : ""}. If its provider does not allow changes, copy the JSON into that file instead.
          </div>
        )}
        {raw === null ? (
          <>
            <label className="field">
              <span>Title</span>
              <input className="input" required value={title} onChange={(e) => setTitle(e.target.value)} />
            </label>
            <label className="field">
              <span>Tags, separated by commas</span>
              <input className="input" value={tags} onChange={(e) => setTags(e.target.value)} />
            </label>
            <label className="check">
              <input type="checkbox" checked={time} onChange={(e) => setTime(e.target.checked)} />
              Open with this time range and refresh
            </label>
            {page.variables.length > 0 && (
              <label className="check">
                <input type="checkbox" checked={values} onChange={(e) => setValues(e.target.checked)} />
                Open with these values of variables
              </label>
            )}
          </>
        ) : (
          <label className="field">
            <span>JSON model</span>
            <textarea className="input mono json" spellCheck={false} value={raw} onChange={(e) => setRaw(e.target.value)} />
          </label>
        )}
        <label className="field">
          <span>What changed (optional)</span>
          <input className="input" value={message} onChange={(e) => setMessage(e.target.value)} />
        </label>
        <div aria-live="assertive">
          {error && (
            <div className="notice bad">
              {conflict ? "Someone else saved this dashboard in between. Reload the page to see their version, or replace it with yours." : `${error.message} ${error.hint}`}
            </div>
          )}
        </div>
        <div className="dialog-foot">
          <button type="button" className="btn quiet" onClick={() => setRaw(raw === null ? edited() : null)}>
            {raw === null ? "Edit as JSON" : "Back to the form"}
          </button>
          <span className="grow" />
          {conflict && (
            <button type="button" className="btn" onClick={() => void submit(true)}>
              Replace theirs
            </button>
          )}
          <button className="btn primary" disabled={busy}>
            {busy ? "Saving…" : "Save"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
