/* The parts of Grafana's HTTP API that the pages use. A dashboard travels as text, so that saving it keeps its bytes. */
import { getJson, request } from "./http";
import { spanOf } from "../model/jsontext";
import type { DashboardJson } from "../model/types";

export interface DashboardMeta {
  slug?: string;
  url?: string;
  folderTitle?: string;
  folderUid?: string;
  canSave?: boolean;
  canEdit?: boolean;
  provisioned?: boolean;
  provisionedExternalId?: string;
  isStarred?: boolean;
  updated?: string;
  updatedBy?: string;
  version?: number;
}
export interface LoadedDashboard { text: string; json: DashboardJson; meta: DashboardMeta }

export async function readDashboard(uid: string, signal?: AbortSignal): Promise<LoadedDashboard> {
  const res = await request(`/api/dashboards/uid/${encodeURIComponent(uid)}`, { signal, headers: { accept: "application/json" } });
  const whole = await res.text();
  const { dashboard, meta } = JSON.parse(whole) as { dashboard: DashboardJson; meta: DashboardMeta };
  const span = spanOf(whole, ["dashboard"])!;
  return { text: whole.slice(...span), json: dashboard, meta: meta ?? {} };
}

export interface SaveAnswer { uid: string; url: string; version: number; slug: string; id: number }
/* Answers 412 when someone saved in between (status "version-mismatch") and overwrite is not set. */
export async function saveDashboard(text: string, o: { folderUid?: string; message?: string; overwrite?: boolean }): Promise<SaveAnswer> {
  const body = `{"dashboard":${text},${JSON.stringify({ folderUid: o.folderUid ?? "", message: o.message ?? "", overwrite: !!o.overwrite }).slice(1)}`;
  const res = await request("/api/dashboards/db", { method: "POST", body, headers: { "content-type": "application/json", accept: "application/json" } });
  return (await res.json()) as SaveAnswer;
}

export interface SearchHit { uid: string; title: string; url: string; type?: string; tags?: string[]; folderTitle?: string; folderUid?: string; isStarred?: boolean }
export const searchDashboards = (params: Record<string, string> | URLSearchParams, signal?: AbortSignal) => getJson<SearchHit[]>(`/api/search?${new URLSearchParams(params)}`, signal);

export async function setStar(uid: string, on: boolean): Promise<void> {
  await request(`/api/user/stars/dashboard/uid/${encodeURIComponent(uid)}`, { method: on ? "POST" : "DELETE" });
}
