/* One way to the server. A failure becomes an ApiError that carries a sentence for a person. */
export class ApiError extends Error {
  constructor(message: string, readonly status: number, readonly hint: string) {
    super(message);
    this.name = "ApiError";
  }
}

let base = "";
export function setBasePath(p: string): void {
  base = p.replace(/\/+$/, "");
}
export function basePath(): string {
  return base;
}

const hints: Record<number, string> = {
  0: "Check that the server is running and that you are online, then try again.",
  400: "Check the query.",
  401: "Sign in and try again.",
  403: "Your account may not do this. Ask an administrator.",
  404: "It may have been removed, or the address is mistyped.",
  408: "Ask for a shorter time range or fewer series.",
  413: "Ask for a shorter time range or fewer series.",
  422: "The query is valid but could not be run. Ask for a shorter time range or fewer series.",
  429: "Too many requests at once. Wait a moment and try again.",
  502: "The data source did not answer. Check that it is running and its address in the settings.",
  503: "The server is not ready yet. Try again in a few seconds.",
  504: "The data source took too long. Ask for a shorter time range.",
};

async function failure(res: Response): Promise<ApiError> {
  let text = "";
  try {
    text = await res.text();
    const j = JSON.parse(text) as { error?: string; message?: string };
    text = j.error || j.message || text;
  } catch {
    /* plain text is fine */
  }
  if (!text || /^\s*</.test(text)) text = `The server answered ${res.status}${res.statusText ? " " + res.statusText : ""}.`;
  return new ApiError(text.trim().slice(0, 600), res.status, hints[res.status] ?? (res.status >= 500 ? "The server's log says more." : ""));
}

let onUnauthorized: (() => void) | null = null;
export function setUnauthorizedHandler(f: () => void): void {
  onUnauthorized = f;
}

export async function request(path: string, init?: RequestInit): Promise<Response> {
  let res: Response;
  try {
    res = await fetch(base + path, { credentials: "same-origin", ...init });
  } catch (e) {
    if ((e as Error).name === "AbortError") throw e;
    throw new ApiError("The server cannot be reached.", 0, hints[0]!);
  }
  if (!res.ok) {
    const err = await failure(res);
    if (res.status === 401 && !path.startsWith("/login")) onUnauthorized?.();
    throw err;
  }
  return res;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const res = await request(path, { signal, headers: { accept: "application/json" } });
  try {
    return (await res.json()) as T;
  } catch (e) {
    if ((e as Error).name === "AbortError") throw e;
    throw new ApiError("The server's answer is not JSON.", res.status, "Is another program answering at this address?");
  }
}

export async function postJson<T>(path: string, body: unknown): Promise<T> {
  const res = await request(path, { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(body) });
  return (await res.json()) as T;
}

export function asApiError(e: unknown): ApiError {
  if (e instanceof ApiError) return e;
  return new ApiError(e instanceof Error ? e.message : String(e), -1, "");
}
