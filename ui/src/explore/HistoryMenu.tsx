/* What was asked before: newest first, starred ones kept. */
import { useState } from "react";
import { Icon } from "../components/icons";
import { Popover } from "../components/Popover";
import { timeAgo } from "../semantics/units";
import { asked, setStar, type Asked } from "./history";

export function HistoryMenu({ source, onPick }: { source: string; onPick: (expr: string) => void }) {
  return (
    <Popover name="Queries asked before" title="History" align="right" label={<Icon name="clock" />} className="btn icon">
      {(close) => (
        <Panel
          source={source}
          onPick={(e) => {
            onPick(e);
            close();
          }}
        />
      )}
    </Popover>
  );
}

function Panel({ source, onPick }: { source: string; onPick: (expr: string) => void }) {
  const [list, setList] = useState<Asked[]>(asked);
  const [find, setFind] = useState("");
  const [starred, setStarred] = useState(false);
  const shown = list.filter((a) => a.source === source && (!starred || a.star) && a.expr.toLowerCase().includes(find.toLowerCase())).slice(0, 60);
  return (
    <div className="history">
      <div className="history-bar">
        <input className="input" type="search" placeholder="Find a query" aria-label="Find a query" value={find} onChange={(e) => setFind(e.target.value)} autoFocus />
        <button className="btn compact" aria-pressed={starred} onClick={() => setStarred(!starred)}>
          Starred
        </button>
      </div>
      <ul>
        {shown.map((a) => (
          <li key={a.expr}>
            <button className="btn quiet icon tiny" aria-pressed={!!a.star} aria-label={a.star ? "Remove the star" : "Star this query"} onClick={() => setList(setStar(a.source, a.expr, !a.star))}>
              {a.star ? "★" : "☆"}
            </button>
            <button className="history-expr mono" onClick={() => onPick(a.expr)}>
              {a.expr}
            </button>
            <span className="muted">{timeAgo(a.at)}</span>
          </li>
        ))}
      </ul>
      {!shown.length && <p className="muted history-none">Nothing {list.length ? "matches" : "was asked yet"}.</p>}
    </div>
  );
}
