/* Service discovery: what was found, what relabelling made of it, what was dropped. */
import { useMemo, useState } from "react";
import { Icon } from "../components/icons";
import { Empty } from "../components/States";
import { Badge, LabelSet, Loaded, Page, Search, useApi } from "./Frame";
import type { TargetList } from "./Targets";

interface Found { discovered: Record<string, string>; labels: Record<string, string> | null }

export default function Discovery() {
  const api = useApi<TargetList>("targets", { state: "any" }, 30_000);
  const [find, setFind] = useState("");
  return (
    <Page title="Service discovery" tools={<Search value={find} onChange={setFind} what="Label" />}>
      <Loaded what="The discovered targets cannot be shown" from={api}>
        {(data) => <Pools data={data} find={find.toLowerCase()} />}
      </Loaded>
    </Page>
  );
}

function Pools({ data, find }: { data: TargetList; find: string }) {
  const pools = useMemo(() => {
    const m = new Map<string, Found[]>();
    const add = (pool: string, f: Found) => m.set(pool, [...(m.get(pool) ?? []), f]);
    for (const t of data.activeTargets) add(t.scrapePool, { discovered: t.discoveredLabels, labels: t.labels });
    for (const t of data.droppedTargets ?? []) add(t.scrapePool ?? t.discoveredLabels.job ?? "", { discovered: t.discoveredLabels, labels: null });
    return [...m].sort(([a], [b]) => (a < b ? -1 : 1));
  }, [data]);
  if (!pools.length) return <Empty title="Nothing was discovered">Add a scrape_configs section to the configuration file.</Empty>;
  return (
    <>
      {pools.map(([name, list]) => (
        <Pool key={name} name={name} list={list} find={find} />
      ))}
    </>
  );
}

const hit = (labels: Record<string, string> | null, find: string) => !!labels && Object.entries(labels).some(([k, v]) => `${k}="${v}"`.toLowerCase().includes(find));

function Pool({ name, list, find }: { name: string; list: Found[]; find: string }) {
  const [open, setOpen] = useState(true);
  const active = list.filter((f) => f.labels).length;
  const shown = find ? list.filter((f) => hit(f.discovered, find) || hit(f.labels, find)) : list;
  return (
    <section className="card" aria-label={`Pool ${name}`}>
      <button className="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name={open ? "chevron" : "right"} />
        <strong>{name}</strong>
        <Badge tone="plain">
          {active} active of {list.length}
        </Badge>
      </button>
      {open && (
        <div className="scroll-table" tabIndex={0} role="region" aria-label={`Discovered by ${name}`}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">Discovered labels</th>
                <th scope="col">Target labels</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((f, i) => (
                <tr key={i}>
                  <td>
                    <LabelSet labels={f.discovered} />
                  </td>
                  <td>{f.labels ? <LabelSet labels={f.labels} /> : <Badge tone="warn">dropped</Badge>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
