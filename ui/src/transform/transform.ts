/* Transformations by Grafana's ids, one function each; an id that is not here stops with its name. */
import type { Transformation } from "../model/types";
import { matcherOf } from "../semantics/fieldconfig";
import { fieldName, timeField, type Field, type Frame } from "../semantics/frame";
import { patternOf } from "../semantics/mappings";
import { reduce, reducerName, reducerKeepsUnit } from "../semantics/reducers";

type Options = Record<string, any>;
type Step = (frames: Frame[], o: Options) => Frame[];

const withFields = (f: Frame, fields: Field[]): Frame => ({ ...f, fields, logs: undefined, length: fields[0]?.values.length ?? 0 });
const namesOf = (frames: Frame[]) => new Map(frames.flatMap((f) => f.fields.map((x) => [x, fieldName(x, f, frames)] as const)));
const rowsOf = (f: Frame, rows: number[]): Frame => withFields(f, f.fields.map((x) => ({ ...x, values: rows.map((r) => x.values[r]) })));
const compare = (a: unknown, b: unknown): number =>
  a === b ? 0 : a === null || a === undefined ? -1 : b === null || b === undefined ? 1 : typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });

function keepFields(frames: Frame[], keep: (name: string, field: Field) => boolean): Frame[] {
  const names = namesOf(frames);
  return frames.map((f) => withFields(f, f.fields.filter((x) => keep(names.get(x)!, x)))).filter((f) => f.fields.length);
}

const filterFieldsByName: Step = (frames, o) => {
  const test = (m: Options | undefined) => {
    if (!m) return null;
    const set = new Set<string>(m.names ?? []);
    const re = m.pattern ? patternOf(m.pattern) : null;
    return set.size || re ? (n: string) => set.has(n) || !!re?.test(n) : null;
  };
  const include = test(o.include);
  const exclude = test(o.exclude);
  return keepFields(frames, (n) => (!include || include(n)) && !(exclude && exclude(n)));
};

const organize: Step = (frames, o) => {
  const names = namesOf(frames);
  const place = (n: string) => (o.indexByName as Record<string, number> | undefined)?.[n] ?? 1e9;
  const include = o.includeByName as Record<string, boolean> | undefined;
  const only = include && Object.keys(include).length > 0;
  return frames.map((f) => {
    const kept = f.fields.filter((x) => !o.excludeByName?.[names.get(x)!] && (!only || include[names.get(x)!]));
    const sorted = kept.map((x, i) => ({ x, i })).sort((a, b) => place(names.get(a.x)!) - place(names.get(b.x)!) || a.i - b.i);
    return withFields(f, sorted.map(({ x }) => rename(x, o.renameByName?.[names.get(x)!])));
  });
};
const rename = (x: Field, to: string | undefined): Field => (to ? { ...x, config: { ...x.config, displayName: to } } : x);

const renameByRegex: Step = (frames, o) => {
  const re = patternOf(String(o.regex ?? ""));
  if (!re) return frames;
  const loose = /^\/.*\/[gimsuy]*$/.test(o.regex) ? re : new RegExp(o.regex);
  const names = namesOf(frames);
  return frames.map((f) => withFields(f, f.fields.map((x) => (loose.test(names.get(x)!) ? ((loose.lastIndex = 0), rename(x, names.get(x)!.replace(loose, o.renamePattern ?? ""))) : ((loose.lastIndex = 0), x)))));
};

const reduceFrames: Step = (frames, o) => {
  const ids = (o.reducers as string[] | undefined)?.length ? (o.reducers as string[]) : ["max"];
  const names = namesOf(frames);
  if (o.mode === "reduceFields")
    return frames.map((f) =>
      withFields(f, f.fields.filter((x) => x.type === "number").flatMap((x) => ids.map((id) => ({ ...x, labels: undefined, values: [reduce(id, x.values)], config: { ...x.config, displayName: ids.length > 1 ? `${names.get(x)} ${reducerName(id)}` : names.get(x) } })))),
    );
  const rows = frames.flatMap((f) => f.fields.filter((x) => (o.includeTimeField ? true : x.type !== "time")).map((x) => x));
  const labels = o.labelsToFields ? [...new Set(rows.flatMap((x) => Object.keys(x.labels ?? {})))] : [];
  const first = rows[0];
  const fields: Field[] = [
    { name: "Field", type: "string", values: rows.map((x) => (o.labelsToFields ? x.name : names.get(x))), config: {} },
    ...labels.map((l): Field => ({ name: l, type: "string", values: rows.map((x) => x.labels?.[l] ?? ""), config: {} })),
    ...ids.map((id): Field => ({ name: reducerName(id), type: "number", values: rows.map((x) => reduce(id, x.values)), config: reducerKeepsUnit(id) && first ? { unit: first.config.unit, decimals: first.config.decimals } : {} })),
  ];
  return [{ refId: frames[0]?.refId, fields, length: rows.length }];
};

/* Rows that agree in all shared columns become one. */
const merge: Step = (frames) => {
  const used = frames.filter((f) => f.length);
  if (used.length < 2) return frames;
  const names = new Map<string, Field>();
  for (const f of used) for (const x of f.fields) if (!names.has(x.name)) names.set(x.name, { ...x, labels: undefined, config: { ...x.config, displayNameFromDS: undefined }, values: [] });
  const shared = [...names.keys()].filter((n) => used.every((f) => f.fields.some((x) => x.name === n)));
  const rows = new Map<string, Record<string, unknown>>();
  used.forEach((f, k) => {
    for (let i = 0; i < f.length; i++) {
      const row = Object.fromEntries(f.fields.map((x) => [x.name, x.values[i]]));
      const key = shared.length ? JSON.stringify(shared.map((n) => row[n])) : `${k}/${i}`;
      const old = rows.get(key);
      const clash = old && Object.keys(row).some((n) => !shared.includes(n) && n in old);
      if (old && !clash) Object.assign(old, row);
      else rows.set(clash ? `${key}/${k}/${i}` : key, row);
    }
  });
  const all = [...rows.values()];
  return [withFields(used[0]!, [...names.entries()].map(([n, x]) => ({ ...x, values: all.map((r) => r[n] ?? null) })))];
};

/* seriesToColumns: outer (or inner) join on a field, by default the time. */
const joinByField: Step = (frames, o) => {
  const names = namesOf(frames);
  const usable = frames.filter((f) => f.fields.some((x) => isKey(x, names, o.byField)));
  if (usable.length < 2) return frames;
  const rows = new Map<unknown, unknown[]>();
  const columns = usable.flatMap((f) => f.fields.filter((x) => x !== keyOf(f, names, o.byField)));
  const seen = new Map<unknown, number>();
  let at = 0;
  for (const f of usable) {
    const key = keyOf(f, names, o.byField)!;
    const own = f.fields.filter((x) => x !== key);
    key.values.forEach((k, i) => {
      const row = rows.get(k) ?? new Array<unknown>(columns.length).fill(null);
      own.forEach((x, c) => (row[at + c] = x.values[i]));
      rows.set(k, row);
    });
    for (const k of new Set(key.values)) seen.set(k, (seen.get(k) ?? 0) + 1);
    at += own.length;
  }
  const key = keyOf(usable[0]!, names, o.byField)!;
  const kept = [...rows.keys()].filter((k) => o.mode !== "inner" || seen.get(k) === usable.length);
  /* Times come in order, anything else as it was met. */
  const keys = key.type === "time" ? kept.sort(compare) : kept;
  return [withFields({ fields: [], length: 0 }, [{ ...key, values: keys }, ...columns.map((x, c) => ({ ...x, config: { ...x.config, displayName: x.config.displayName ?? names.get(x) }, values: keys.map((k) => rows.get(k)![c]) }))])];
};
const isKey = (x: Field, names: Map<Field, string>, by?: string) => (by ? names.get(x) === by || x.name === by : x.type === "time");
const keyOf = (f: Frame, names: Map<Field, string>, by?: string) => f.fields.find((x) => isKey(x, names, by));

const sortBy: Step = (frames, o) => {
  const s = o.sort?.[0] as { field?: string; desc?: boolean } | undefined;
  const names = namesOf(frames);
  return frames.map((f) => {
    const by = f.fields.find((x) => names.get(x) === s?.field);
    if (!by) return f;
    return rowsOf(f, Array.from({ length: f.length }, (_, i) => i).sort((a, b) => compare(by.values[a], by.values[b]) * (s!.desc ? -1 : 1)));
  });
};
const limit: Step = (frames, o) => frames.map((f) => rowsOf(f, Array.from({ length: Math.min(f.length, Number(o.limitField ?? 10)) }, (_, i) => i)));

const labelsToFields: Step = (frames, o) => {
  const wanted = (o.keepLabels as string[] | undefined)?.length ? new Set<string>(o.keepLabels) : null;
  const pairs = (x: Field) => Object.entries(x.labels ?? {}).filter(([k]) => k !== o.valueLabel && (!wanted || wanted.has(k)));
  if (o.mode === "rows")
    return frames.flatMap((f) =>
      f.fields.filter((x) => x.labels).map((x): Frame => {
        const rows = pairs(x);
        return { refId: f.refId, length: rows.length, fields: [{ name: "label", type: "string", values: rows.map((r) => r[0]), config: {} }, { name: "value", type: "string", values: rows.map((r) => r[1]), config: {} }] };
      }),
    );
  return frames.map((f) => {
    const extra = new Map<string, string>();
    const fields = f.fields.map((x) => {
      for (const [k, v] of pairs(x)) extra.set(k, v);
      return { ...x, name: (o.valueLabel && x.labels?.[o.valueLabel]) || x.name, labels: undefined, config: { ...x.config, displayNameFromDS: undefined } };
    });
    return withFields(f, [...fields, ...[...extra].map(([k, v]): Field => ({ name: k, type: "string", values: new Array<string>(f.length).fill(v), config: {} }))]);
  });
};

const seriesToRows: Step = (frames) => {
  const names = namesOf(frames);
  const rows: [number, string, unknown][] = [];
  for (const f of frames) {
    const time = timeField(f);
    for (const x of f.fields) if (x !== time) x.values.forEach((v, i) => rows.push([(time?.values[i] as number) ?? 0, names.get(x)!, v]));
  }
  rows.sort((a, b) => b[0] - a[0]);
  return [{ length: rows.length, fields: [{ name: "Time", type: "time", values: rows.map((r) => r[0]), config: {} }, { name: "Metric", type: "string", values: rows.map((r) => r[1]), config: {} }, { name: "Value", type: "number", values: rows.map((r) => r[2]), config: {} }] }];
};

const groupBy: Step = (frames, o) => {
  const settings = (o.fields ?? {}) as Record<string, { operation?: string; aggregations?: string[] }>;
  const names = namesOf(frames);
  return frames.map((f) => {
    const keys = f.fields.filter((x) => settings[names.get(x)!]?.operation === "groupby");
    if (!keys.length) return f;
    const groups = new Map<string, number[]>();
    for (let i = 0; i < f.length; i++) {
      const k = JSON.stringify(keys.map((x) => x.values[i]));
      groups.set(k, [...(groups.get(k) ?? []), i]);
    }
    const all = [...groups.values()];
    const sums = f.fields.flatMap((x) =>
      settings[names.get(x)!]?.operation === "aggregate"
        ? (settings[names.get(x)!]!.aggregations ?? []).map((id): Field => ({ ...x, type: "number", name: `${names.get(x)} (${id})`, labels: undefined, config: reducerKeepsUnit(id) ? { ...x.config, displayName: undefined, displayNameFromDS: undefined } : {}, values: all.map((rows) => reduce(id, rows.map((r) => x.values[r]))) }))
        : [],
    );
    return withFields(f, [...keys.map((x) => ({ ...x, values: all.map((rows) => x.values[rows[0]!]) })), ...sums]);
  });
};

const tests: Record<string, (v: any, o: Options) => boolean> = {
  greater: (v, o) => v > o.value, greaterOrEqual: (v, o) => v >= o.value, lower: (v, o) => v < o.value, lowerOrEqual: (v, o) => v <= o.value,
  equal: (v, o) => String(v) === String(o.value), notEqual: (v, o) => String(v) !== String(o.value), isNull: (v) => v === null || v === undefined, isNotNull: (v) => v !== null && v !== undefined,
  regex: (v, o) => !!patternOf(String(o.value))?.test(String(v)), between: (v, o) => v >= o.from && v <= o.to, substring: (v, o) => String(v).toLowerCase().includes(String(o.value).toLowerCase()),
};
const filterByValue: Step = (frames, o) => {
  const names = namesOf(frames);
  const filters = (o.filters ?? []) as { fieldName: string; config: { id: string; options?: Options } }[];
  return frames.map((f) => {
    const active = filters.flatMap((c) => {
      const x = f.fields.find((y) => names.get(y) === c.fieldName);
      const t = tests[c.config?.id];
      return x && t ? [(i: number) => t(x.values[i], c.config.options ?? {})] : [];
    });
    if (!active.length) return f;
    const hit = (i: number) => (o.match === "all" ? active.every((t) => t(i)) : active.some((t) => t(i)));
    return rowsOf(f, Array.from({ length: f.length }, (_, i) => i).filter((i) => hit(i) === (o.type !== "exclude")));
  });
};

const operators: Record<string, (a: number, b: number) => number> = { "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "%": (a, b) => a % b, "^": (a, b) => a ** b };
const calculateField: Step = (frames, o) => {
  const joined = frames.length > 1 ? joinByField(frames, {}) : frames;
  const names = namesOf(joined);
  return joined.map((f) => {
    const find = (ref: unknown) => f.fields.find((x) => names.get(x) === ref);
    const side = (ref: any, i: number): number => {
      const name = typeof ref === "object" && ref ? (ref.fixed ?? ref.matcher?.options) : ref;
      const x = find(name);
      return x ? (x.values[i] as number) : Number(name);
    };
    let values: unknown[];
    let name: string;
    if (o.mode === "binary") {
      const b = o.binary ?? {};
      const label = (r: any) => (typeof r === "object" && r ? (r.fixed ?? r.matcher?.options) : r);
      values = Array.from({ length: f.length }, (_, i) => operators[b.operator ?? "+"]!(side(b.left, i), side(b.right, i)));
      name = `${label(b.left)} ${b.operator ?? "+"} ${label(b.right)}`;
    } else if (o.mode === "reduceRow" || o.mode === undefined) {
      const wanted = o.reduce?.include as string[] | undefined;
      const from = f.fields.filter((x) => x.type === "number" && (!wanted?.length || wanted.includes(names.get(x)!)));
      const id = (o.reduce?.reducer as string) ?? "sum";
      values = Array.from({ length: f.length }, (_, i) => reduce(id, from.map((x) => x.values[i])));
      name = reducerName(id);
    } else if (o.mode === "index") {
      values = Array.from({ length: f.length }, (_, i) => i);
      name = "Row";
    } else throw new Error(`The mode “${o.mode}” of the transformation “Add field from calculation” is not available.`);
    const added: Field = { name: o.alias || name, type: "number", values, config: {} };
    const keep = o.replaceFields ? f.fields.filter((x) => x.type === "time") : f.fields;
    return withFields(f, [...keep, added]);
  });
};

const convertFieldType: Step = (frames, o) => {
  const names = namesOf(frames);
  const how: Record<string, (v: unknown) => unknown> = { number: (v) => (v === "" || v === null ? null : Number(v)), string: (v) => (v === null || v === undefined ? "" : String(v)), boolean: (v) => v === true || v === "true" || v === 1, time: (v) => (typeof v === "number" ? v : Date.parse(String(v))) };
  const list = (o.conversions ?? []) as { targetField?: string; destinationType?: string }[];
  return frames.map((f) => withFields(f, f.fields.map((x) => {
    const c = list.find((y) => y.targetField === names.get(x));
    const to = c?.destinationType;
    return to && how[to] ? { ...x, type: to as Field["type"], values: x.values.map(how[to]) } : x;
  })));
};

const table: Record<string, Step> = {
  filterFieldsByName, filterByName: filterFieldsByName, organize, renameByRegex, reduce: reduceFrames, merge, joinByField, seriesToColumns: joinByField, sortBy, limit, labelsToFields, seriesToRows, groupBy, filterByValue, calculateField, convertFieldType,
  filterByRefId: (frames, o) => frames.filter((f) => (patternOf(String(o.include ?? "")) ?? /.*/).test(f.refId ?? "")),
  concatenate: (frames) => [withFields(frames[0] ?? { fields: [], length: 0 }, frames.flatMap((f) => f.fields))],
  prepareTimeSeries: (frames) => frames,
};
export const transformations = Object.keys(table);

export function transform(frames: Frame[], steps: Transformation[]): Frame[] {
  return steps.reduce((now, s) => {
    const step = table[s.id];
    if (!step) throw new Error(`The transformation “${s.id}” is not available. The data is in the panel's inspector; the setting stays in the dashboard.`);
    if (!s.filter) return step(now, s.options ?? {});
    const match = matcherOf(s.filter);
    const inside = now.filter((f) => (s.filter!.id === "byRefId" ? (patternOf(String(s.filter!.options)) ?? /.*/).test(f.refId ?? "") : f.fields.some((x) => match(x, f, x.name))));
    return [...step(inside, s.options ?? {}), ...now.filter((f) => !inside.includes(f))];
  }, frames);
}
