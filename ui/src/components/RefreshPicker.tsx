/* Refresh now, or every so often. "" is off. */
import { Icon } from "./icons";
import { MenuSelect } from "./Popover";

export const defaultIntervals = ["5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "1d"];

interface Props { value: string; onChange: (every: string) => void; onRefresh: () => void; loading?: boolean; intervals?: string[] }

export function RefreshPicker({ value, onChange, onRefresh, loading, intervals = defaultIntervals }: Props) {
  const all = value && !intervals.includes(value) ? [value, ...intervals] : intervals;
  return (
    <span className="group">
      <button className="btn icon" onClick={onRefresh} aria-label={loading ? "Loading; press to ask again" : "Refresh"} title="Refresh (d r)" aria-busy={loading}>
        <Icon name="refresh" />
      </button>
      <MenuSelect name="Refresh every" value={value} align="right" className="btn" choices={[{ value: "", label: "Off" }, ...all.map((i) => ({ value: i, label: i }))]} onPick={onChange} />
    </span>
  );
}
