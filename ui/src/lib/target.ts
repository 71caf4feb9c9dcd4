/* Where to go after signing in. Only a path of this origin: "//host" and "https:" would lead away. */
export function safeTarget(raw: string | null): string {
  return raw && /^\/(?![/\\])/.test(raw) && !raw.startsWith("/login") ? raw : "/dashboards";
}

/* A link from a dashboard file: web addresses and paths, nothing that runs. Null when it may not be followed. */
export function safeUrl(raw: string): string | null {
  const url = raw.trim();
  if (/^(https?:|mailto:)/i.test(url)) return url;
  return /^(?![a-z][a-z0-9+.-]*:)/i.test(url) && !url.startsWith("//") ? url : null;
}
