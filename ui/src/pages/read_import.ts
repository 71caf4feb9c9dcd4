/* What someone hands over to be imported. */

export interface ImportInput { name: string; label?: string; description?: string; type: string; pluginId?: string; value?: string }
export interface Parsed { json: Record<string, unknown> | null; title: string; inputs: ImportInput[]; problem: string }

/* A dashboard as a file, or as an answer of GET /api/dashboards/uid/... with the dashboard inside. */
export function readImport(text: string): Parsed {
  const none = { json: null, title: "", inputs: [] };
  if (!text.trim()) return { ...none, problem: "" };
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch (e) {
    return { ...none, problem: `This is not JSON: ${(e as Error).message}.` };
  }
  if (json.dashboard && typeof json.dashboard === "object") json = json.dashboard as Record<string, unknown>;
  if (!json || typeof json !== "object" || Array.isArray(json)) return { ...none, problem: "This is JSON, but no dashboard: an object with a title and panels is wanted." };
  if (json.kind === "Dashboard" && json.spec) return { ...none, problem: "This is a dashboard resource. Export it from Grafana as a classic model (“Export the dashboard to use in another instance”) and import that." };
  if (typeof json.title !== "string" || !json.title) return { ...none, problem: "This dashboard has no title. Add one to the JSON." };
  if (!Array.isArray(json.panels) && !Array.isArray(json.rows)) return { ...none, problem: "This JSON has no panels. Is it a dashboard?" };
  const inputs = (Array.isArray(json.__inputs) ? json.__inputs : []) as ImportInput[];
  return { json, title: json.title, inputs, problem: "" };
}
