/* The variables of a dashboard that is open: loads options in the order of dependencies and keeps values. The address
 * is the truth for values; what it does not name keeps the dashboard's own choice. */
import { createStore, type Store } from "../lib/store";
import { lookupIn, dependencies, ordered, pickValue, queryText, allValue, type Option, type VariableState } from "../model/variables";
import { loadOptions, type Span } from "../model/variable_sources";
import type { VariableModel } from "../model/types";

const optionsOf = (m: VariableModel): Option[] => (m.options ?? []).filter((o) => o.value !== allValue).map((o) => ({ value: String(o.value), text: String(o.text) }));
const listOf = (v: unknown): string[] => (v === undefined || v === null || v === "" ? [] : Array.isArray(v) ? v.map(String) : [String(v)]);

/* What is in use before options are known: the address, or what the file was saved with. */
function firstValue(m: VariableModel, query: URLSearchParams): string[] {
  const given = query.getAll("var-" + m.name);
  if (given.length) return given.map((v) => (v === "All" && m.includeAll ? allValue : v));
  if (m.type === "constant" || (m.type === "textbox" && !listOf(m.current?.value).length)) return listOf(queryText(m));
  return listOf(m.current?.value);
}

/* A value that queries can use although options are still on their way. */
export const usable = (s: VariableState): boolean => !s.loading || (s.value.length > 0 && (!s.value.includes(allValue) || !!s.model.allValue));

export class VariableSet {
  readonly store: Store<VariableState[]>;
  readonly circular: string[];
  private readonly names: Set<string>;
  private readonly order: VariableModel[];
  private stop = new AbortController();
  private span: Span;

  constructor(models: VariableModel[], query: URLSearchParams, span: Span) {
    const sorted = ordered(models);
    this.order = sorted.order;
    this.circular = sorted.circular;
    this.names = new Set(models.map((m) => m.name));
    this.span = span;
    this.store = createStore(models.map((model): VariableState => ({ model, options: optionsOf(model), value: firstValue(model, query), texts: [], loading: true, error: null })));
  }

  open(query: URLSearchParams): void {
    this.stop = new AbortController();
    void this.resolve(this.names, query);
  }
  close(): void {
    this.stop.abort();
  }
  private state(name: string): VariableState {
    return this.store.get().find((s) => s.model.name === name)!;
  }
  private patch(name: string, change: Partial<VariableState>): void {
    this.store.set((all) => all.map((s) => (s.model.name === name ? { ...s, ...change } : s)));
  }

  private async resolve(which: Set<string>, query: URLSearchParams | null): Promise<void> {
    const { signal } = this.stop;
    const done = new Map<string, Promise<void>>();
    for (const m of this.order) {
      if (!which.has(m.name)) continue;
      const before = dependencies(m, this.names).map((d) => done.get(d));
      this.patch(m.name, { loading: true });
      done.set(m.name, Promise.all(before).then(() => this.load(m, query, signal)));
    }
    await Promise.all(done.values());
  }

  private async load(m: VariableModel, query: URLSearchParams | null, signal: AbortSignal): Promise<void> {
    if (this.circular.includes(m.name)) {
      this.patch(m.name, { loading: false, error: new Error(`The variables ${this.circular.join(", ")} use each other in a circle.`) });
      return;
    }
    try {
      const saved = optionsOf(m);
      const fixed = m.type === "query" && m.refresh === 0 && saved.length > 0;
      const options = fixed ? saved : await loadOptions(m, lookupIn(this.store.get(), {}), this.span, signal);
      if (signal.aborted) return;
      const now = this.state(m.name).value;
      const free = m.type === "textbox" || m.type === "constant" || m.type === "adhoc";
      const given = query?.getAll("var-" + m.name) ?? [];
      const value = free ? (now.length ? now : options.map((o) => o.value)) : pickValue(m, options, given.length ? given : null, now.length ? now : null);
      this.patch(m.name, { options, value, loading: false, error: null });
    } catch (error) {
      if (!signal.aborted) this.patch(m.name, { loading: false, error });
    }
  }

  /* Those that use one of these, directly or not. */
  private dependants(of: Set<string>): Set<string> {
    const out = new Set<string>();
    for (const m of this.order) if (dependencies(m, this.names).some((d) => of.has(d) || out.has(d))) out.add(m.name);
    return out;
  }

  /* Values the address names now. */
  applyQuery(query: URLSearchParams): void {
    const changed = new Set<string>();
    for (const s of this.store.get()) {
      const given = query.getAll("var-" + s.model.name).map((v) => (v === "All" && s.model.includeAll ? allValue : v));
      if (!given.length || s.model.type === "constant" || given.join("\0") === s.value.join("\0")) continue;
      this.patch(s.model.name, { value: given });
      changed.add(s.model.name);
    }
    const next = this.dependants(changed);
    if (next.size) void this.resolve(next, null);
  }

  /* A new time range: variables that say so ask again. */
  rangeChanged(span: Span): void {
    this.span = span;
    const which = new Set(this.order.filter((m) => m.refresh === 2 || (m.type === "interval" && m.auto)).map((m) => m.name));
    if (!which.size) return;
    for (const d of this.dependants(which)) which.add(d);
    void this.resolve(which, null);
  }
  retry(name: string): void {
    void this.resolve(new Set([name, ...this.dependants(new Set([name]))]), null);
  }
}
