/* The variables of a dashboard as controls. */
import { useMemo, useState, type KeyboardEvent } from "react";
import { asApiError } from "../api/http";
import { Icon } from "../components/icons";
import { Popover } from "../components/Popover";
import { setQuery } from "../lib/router";
import { allValue, labelOf, summaryText, type VariableState } from "../model/variables";
import type { VariableSet } from "./variable_set";

export function VariableBar({ set, variables }: { set: VariableSet; variables: VariableState[] }) {
  const shown = variables.filter((v) => v.model.hide !== 2 && v.model.type !== "constant" && v.model.type !== "adhoc" && v.model.type !== "groupby");
  if (!shown.length) return null;
  return (
    <div className="variables" role="group" aria-label="Variables">
      {shown.map((v) => (
        <div key={v.model.name} className="variable" title={v.model.description || undefined}>
          {v.model.hide !== 1 && <span className="var-label">{labelOf(v.model)}</span>}
          {v.model.type === "textbox" ? <TextControl v={v} /> : <ChoiceControl v={v} />}
          {v.error !== null && (
            <Popover name={`${labelOf(v.model)} could not be read`} className="btn quiet icon small bad" label={<Icon name="warn" size={14} />}>
              {(close) => (
                <div className="panel-note">
                  <p>
                    <b>The choices could not be read.</b> {asApiError(v.error).message} {asApiError(v.error).hint}
                  </p>
                  <button
                    className="btn"
                    onClick={() => {
                      set.retry(v.model.name);
                      close();
                    }}
                  >
                    Try again
                  </button>
                </div>
              )}
            </Popover>
          )}
        </div>
      ))}
    </div>
  );
}

const write = (v: VariableState, values: string[]) => setQuery({ ["var-" + v.model.name]: values }, false);

function TextControl({ v }: { v: VariableState }) {
  const [text, setText] = useState<string | null>(null);
  const now = v.value[0] ?? "";
  const commit = () => {
    if (text !== null && text !== now) write(v, [text]);
    setText(null);
  };
  return <input className="input" style={{ width: `${Math.min(Math.max((text ?? now).length + 3, 10), 32)}ch` }} aria-label={labelOf(v.model)} value={text ?? now} onChange={(e) => setText(e.target.value)} onBlur={commit} onKeyDown={(e) => e.key === "Enter" && commit()} />;
}

function ChoiceControl({ v }: { v: VariableState }) {
  const text = summaryText(v) || (v.loading ? "…" : "None");
  return (
    <Popover
      name={`${labelOf(v.model)}: ${text}`}
      role="listbox"
      className="btn var-btn"
      label={
        <>
          <span className="var-text">{text}</span>
          <Icon name="chevron" size={12} />
        </>
      }
    >
      {(close) => <Choices v={v} close={close} />}
    </Popover>
  );
}

const rowsMax = 500;

function Choices({ v, close }: { v: VariableState; close: () => void }) {
  const { model, options } = v;
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState(new Set(v.value));
  const [at, setAt] = useState(-1);
  const all = useMemo(() => (model.includeAll ? [{ value: allValue, text: "All" }, ...options] : options), [model, options]);
  const shown = all.filter((o) => o.text.toLowerCase().includes(filter.toLowerCase())).slice(0, rowsMax);
  function commit(next: Set<string>) {
    const values = [...next];
    if (values.length && values.join("\0") !== v.value.join("\0")) write(v, values);
    close();
  }
  function pick(value: string) {
    if (!model.multi) return commit(new Set([value]));
    const next = new Set(chosen);
    if (value === allValue) return setChosen(new Set([allValue]));
    next.delete(allValue);
    if (!next.delete(value)) next.add(value);
    setChosen(next.size ? next : new Set(model.includeAll ? [allValue] : [value]));
  }
  function keys(e: KeyboardEvent) {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      setAt((i) => (i + (e.key === "ArrowDown" ? 1 : -1) + shown.length) % Math.max(shown.length, 1));
    } else if (e.key === "Enter") {
      e.preventDefault();
      if (at >= 0 && shown[at]) pick(shown[at].value);
      else if (filter && model.multi === false && shown[0]) pick(shown[0].value);
      else if (filter && !shown.length) commit(model.multi ? new Set([...chosen, filter]) : new Set([filter]));
      else if (model.multi) commit(chosen);
      else if (shown[0]) pick(shown[0].value);
    }
  }
  return (
    <div className="choices" onKeyDown={keys}>
      <input className="input" autoFocus placeholder="Find or write a value" aria-label={`Find a value of ${labelOf(model)}`} value={filter} onChange={(e) => (setFilter(e.target.value), setAt(-1))} />
      <div className="menu" role="listbox" aria-multiselectable={model.multi || undefined} aria-label={labelOf(model)}>
        {shown.map((o, i) => {
          const on = chosen.has(o.value);
          return (
            <button key={o.value} type="button" role="option" aria-selected={on} className={i === at ? "active" : ""} onClick={() => pick(o.value)}>
              {model.multi && <span className={"box" + (on ? " on" : "")} aria-hidden="true" />}
              <span className="choice-text">{o.text}</span>
            </button>
          );
        })}
        {!shown.length && <div className="menu-title">{v.loading ? "Loading…" : filter ? "Enter takes what you wrote" : "The data source knows no values in this time range"}</div>}
        {all.length > rowsMax && <div className="menu-title">{all.length} values; write to narrow them down</div>}
      </div>
      {model.multi && (
        <div className="choices-foot">
          <button type="button" className="btn primary" onClick={() => commit(chosen)}>
            Apply
          </button>
        </div>
      )}
    </div>
  );
}
