import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { allPanels, layout } from "../src/model/layout";
import { migrated } from "../src/model/migrate";
import type { DashboardJson } from "../src/model/types";
import { dependencies, filterOptions, ordered, pickValue, queryText, valueOf } from "../src/model/variables";
import { variablesIn } from "../src/model/interpolate";
import { chartModel } from "../src/panels/timeseries_model";
import { panelValues } from "../src/panels/values";
import { applyFieldConfig } from "../src/semantics/fieldconfig";
import type { Frame } from "../src/semantics/frame";

/* The dashboards that come with the program, with one value after the other replaced by something it should not be. */
const files = ["application.json", "cairn.json"].map((f) => readFileSync(new URL(`../../../src/dashboards/builtin/${f}`, import.meta.url), "utf8"));
const odd: unknown[] = [null, "", "x", -1, 0, 1e9, [], {}, [null], true, "$x ${y:z} [[", { a: null }];

function places(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== "object") return [path];
  return [path, ...Object.entries(value).flatMap(([k, v]) => places(v, [...path, Array.isArray(value) ? +k : k]))];
}
function replaced(root: unknown, path: (string | number)[], by: unknown): unknown {
  if (!path.length) return by;
  const copy = (Array.isArray(root) ? [...root] : { ...(root as object) }) as Record<string | number, unknown>;
  copy[path[0]!] = replaced(copy[path[0]!], path.slice(1), by);
  return copy;
}
const frames = (): Frame[] => [
  { refId: "A", length: 2, fields: [{ name: "Time", type: "time", values: [0, 1000], config: { interval: 1000 } }, { name: "Value", type: "number", values: [1, NaN], labels: { a: "b" }, config: {} }] },
  { refId: "B", length: 1, fields: [{ name: "s", type: "string", values: [null], config: {} }] },
];
const ctx = { theme: "dark" as const, zone: "utc", replace: (t: string) => t };

function draw(json: DashboardJson): void {
  const d = migrated(json);
  for (const s of layout(d.panels ?? [], {}, () => [])) for (const i of s.items) assert.ok(Number.isFinite(i.pos.y));
  for (const p of allPanels(d.panels ?? [])) {
    variablesIn(JSON.stringify(p));
    const shown = applyFieldConfig(frames(), p.fieldConfig, ctx);
    chartModel(shown, new Set(), "dark");
    panelValues(p, shown);
    for (const f of shown) for (const x of f.fields) x.state!.display(x.values[0]);
  }
  const models = d.templating?.list ?? [];
  ordered(models);
  for (const m of models) {
    dependencies(m, new Set(["a"]));
    queryText(m);
    const options = filterOptions([{ value: "a", text: "a" }], m.regex);
    valueOf({ model: m, options, value: pickValue(m, options, null, null), texts: [], loading: false, error: null });
  }
}

test("a panel a million rows down is found at once, and huge ones have an end", () => {
  const far = { id: 1, type: "text", gridPos: { x: 0, y: 1e9, w: 1e9, h: 1e9 } };
  const [s] = layout([far, { ...far, id: 2, gridPos: { x: 0, y: 2e9, w: 12, h: 8 } }], {}, () => []);
  assert.deepEqual(s!.items.map((i) => i.pos), [{ x: 0, y: 0, w: 24, h: 400 }, { x: 0, y: 400, w: 12, h: 8 }]);
});

test("a dashboard with any one value wrong still has a page", () => {
  const broken = new Map<string, string>();
  for (const text of files) {
    const json = JSON.parse(text) as DashboardJson;
    const all = places(json).filter((p) => p.length > 0);
    all.forEach((path, n) => {
      for (let k = 0; k < odd.length; k++) {
        /* every place meets some of the oddities, each oddity meets many places */
        if ((n + k) % 4) continue;
        try {
          draw(replaced(json, path, odd[k]) as DashboardJson);
        } catch (e) {
          const key = (e as Error).stack!.split("\n").slice(0, 2).join(" ");
          if (!broken.has(key)) broken.set(key, `${path.join(".")} = ${JSON.stringify(odd[k])}`);
        }
      }
    });
  }
  assert.equal(broken.size, 0, [...broken].map(([k, v]) => `${v}: ${k}`).join("\n"));
});
