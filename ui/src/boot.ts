/* What the server wrote into the page: who is asking, the settings and the data sources. Absent (a plain file server,
 * the development server) it is fetched, which costs one round trip. */
import { getJson, setBasePath } from "./api/http";

export interface User { login: string; name?: string; email?: string; isGrafanaAdmin?: boolean; orgRole?: string; isAnonymous?: boolean }
export interface DataSource { uid: string; name: string; type: string; isDefault?: boolean; url?: string; jsonData?: { timeInterval?: string; maxLines?: number | string } }
export interface Settings { appSubUrl: string; anonymous?: boolean; version?: string }
export interface Boot { role: "dashboards" | "metrics"; user: User | null; settings: Settings; datasources: DataSource[] }

function inlined(): Partial<Boot> | null {
  const el = document.getElementById("cairn-boot");
  if (!el?.textContent) return null;
  try {
    return JSON.parse(el.textContent) as Partial<Boot>;
  } catch {
    return null;
  }
}

export async function loadBoot(): Promise<Boot> {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="cairn-role"]');
  const role = meta?.content === "metrics" ? "metrics" : "dashboards";
  const given = inlined();
  const settings: Settings = { appSubUrl: "", ...given?.settings };
  setBasePath(settings.appSubUrl);
  if (given || role === "metrics") return { role, user: given?.user ?? null, settings, datasources: given?.datasources ?? [] };
  const [user, datasources] = await Promise.all([
    getJson<User>("/api/user").catch(() => null),
    getJson<DataSource[]>("/api/datasources").catch(() => []),
  ]);
  return { role, user, settings, datasources };
}

/* The sources used when nothing is configured, so that a page never starts without a choice. */
const fallbackSources: DataSource[] = [
  { uid: "prometheus", name: "Prometheus", type: "prometheus", isDefault: true },
  { uid: "loki", name: "Loki", type: "loki" },
];

let current: Boot = { role: "dashboards", user: null, settings: { appSubUrl: "" }, datasources: [] };
export function setBoot(b: Boot): void {
  current = b;
}
export function boot(): Boot {
  return current;
}
export function dataSources(): DataSource[] {
  return current.datasources.length ? current.datasources : fallbackSources;
}

/* ref is what a dashboard holds: {type, uid}, a name or uid as plain text, or nothing. */
export function findDataSource(ref: { type?: string; uid?: string } | string | null | undefined, type?: string): DataSource | undefined {
  const all = dataSources();
  const uid = typeof ref === "string" ? ref : ref?.uid;
  const wantType = (typeof ref === "object" && ref?.type) || type;
  if (uid && uid !== "default") {
    const hit = all.find((d) => d.uid === uid) ?? all.find((d) => d.name === uid);
    /* Dashboards that come with the program name the sources it makes by itself; where others were provided in their
     * place, those are meant. */
    return hit ?? (uid === "prometheus" || uid === "loki" ? findDataSource(null, uid) : undefined);
  }
  const ofType = wantType ? all.filter((d) => d.type === wantType) : all;
  return ofType.find((d) => d.isDefault) ?? ofType[0];
}
