/* Chooses a time range: quick ranges, or from and to in Grafana's words ("now-6h", "2026-11-26 08:00:00"). With the
 * buttons for earlier, later and wider. The caller keeps the range (usually in the address). */
import { useState, type FormEvent } from "react";
import { describeRange, formatTime, isRelative, parseRange, parseTime, quickRanges, shifted, zoomedOut, type RawRange } from "../lib/time";
import { recall, remember } from "../lib/store";
import { zoneName, type Zone } from "../lib/zone";
import { Icon } from "./icons";
import { menuKeys, Popover } from "./Popover";

interface Props { raw: RawRange; zone?: Zone; onChange: (raw: RawRange) => void; onZone?: (zone: Zone) => void; compact?: boolean }

export function TimePicker({ raw, zone = "browser", onChange, onZone, compact }: Props) {
  const range = parseRange(raw, { zone });
  const absolute = (r: { from: number; to: number }) => onChange({ from: String(r.from), to: String(r.to) });
  return (
    <span className="group time-picker">
      {!compact && (
        <button className="btn icon" onClick={() => range && absolute(shifted(range, -1))} aria-label="Earlier" title="Earlier (t ←)">
          <Icon name="left" />
        </button>
      )}
      <Popover
        name={`Time range: ${describeRange(raw, { zone })}`}
        align="right"
        label={
          <>
            <Icon name="clock" />
            <span className="range-text">{describeRange(raw, { zone })}</span>
          </>
        }
      >
        {(close) => <Panel key={zone} raw={raw} zone={zone} onChange={onChange} onZone={onZone} close={close} />}
      </Popover>
      {!compact && (
        <button className="btn icon" onClick={() => range && absolute(shifted(range, 1))} aria-label="Later" title="Later (t →)" disabled={isRelative(raw) && raw.to === "now"}>
          <Icon name="right" />
        </button>
      )}
      <button className="btn icon" onClick={() => range && absolute(zoomedOut(range))} aria-label="Zoom out" title="Zoom out (t z)">
        <Icon name="zoomOut" />
      </button>
    </span>
  );
}

const zones: string[] = Intl.supportedValuesOf?.("timeZone") ?? [];

function recent(): RawRange[] {
  try {
    return (JSON.parse(recall("ranges") ?? "[]") as RawRange[]).slice(0, 4);
  } catch {
    return [];
  }
}

function Panel({ raw, zone, onChange, onZone, close }: { raw: RawRange; zone: Zone; onChange: (raw: RawRange) => void; onZone?: (zone: Zone) => void; close: () => void }) {
  const words = (t: string, up: boolean) => (/^-?\d+$/.test(t) ? formatTime(parseTime(t, up, { zone })!, zone) : t);
  const [from, setFrom] = useState(words(raw.from, false));
  const [to, setTo] = useState(words(raw.to, true));
  const [filter, setFilter] = useState("");
  const [problem, setProblem] = useState("");
  const pick = (r: RawRange) => {
    onChange(r);
    close();
  };
  function apply(e: FormEvent) {
    e.preventDefault();
    const a = parseTime(from, false, { zone });
    const b = parseTime(to, true, { zone });
    if (a === null || b === null) return setProblem(`“${a === null ? from : to}” is no time. Write it as now-6h or 2026-11-26 08:00:00.`);
    if (a >= b) return setProblem("From must lie before To.");
    const keep = (t: string, ts: number) => (t.trim().startsWith("now") ? t.trim() : String(ts));
    const r = { from: keep(from, a), to: keep(to, b) };
    if (!isRelative(r)) remember("ranges", JSON.stringify([r, ...recent().filter((x) => x.from !== r.from || x.to !== r.to)].slice(0, 4)));
    pick(r);
  }
  const shown = quickRanges.filter((q) => q.label.toLowerCase().includes(filter.toLowerCase()));
  const old = recent();
  return (
    <div className="time-panel">
      <form onSubmit={apply}>
        <label className="field">
          <span>From</span>
          <input className="input mono" value={from} onChange={(e) => setFrom(e.target.value)} autoFocus spellCheck={false} aria-invalid={!!problem} />
        </label>
        <label className="field">
          <span>To</span>
          <input className="input mono" value={to} onChange={(e) => setTo(e.target.value)} spellCheck={false} aria-invalid={!!problem} />
        </label>
        <div aria-live="polite">{problem && <div className="notice bad">{problem}</div>}</div>
        <button className="btn primary">Apply range</button>
        {old.length > 0 && (
          <div className="menu" role="group" aria-label="Recently used ranges" style={{ padding: 0 }}>
            <div className="menu-title">Recently used</div>
            {old.map((r) => (
              <button type="button" key={r.from + r.to} onClick={() => pick(r)} style={{ whiteSpace: "normal" }}>
                {describeRange(r, { zone })}
              </button>
            ))}
          </div>
        )}
        {onZone ? (
          <label className="field">
            <span>Time zone</span>
            <select className="input" value={zone} onChange={(e) => onZone(e.target.value)}>
              <option value="browser">This browser's ({zoneName("browser")})</option>
              <option value="utc">UTC</option>
              {zone !== "browser" && zone !== "utc" && <option value={zone}>{zone}</option>}
              {zones.filter((z) => z !== zone && z !== "UTC").map((z) => (
                <option key={z}>{z}</option>
              ))}
            </select>
          </label>
        ) : (
          <p className="zone">Times in {zoneName(zone)}</p>
        )}
      </form>
      <div className="quick">
        <input className="input" type="search" placeholder="Find a range" aria-label="Find a quick range" value={filter} onChange={(e) => setFilter(e.target.value)} />
        <div className="menu" role="listbox" aria-label="Quick ranges" onKeyDown={menuKeys}>
          {shown.map((q) => (
            <button key={q.from + q.to} role="option" aria-selected={q.from === raw.from && q.to === raw.to} onClick={() => pick({ from: q.from, to: q.to })}>
              {q.label}
            </button>
          ))}
        </div>
      </div>
    </div>
  );
}
