/* Where to go after signing in. Only a path of this origin: "//host" and "https:" would lead away. */
export function safeTarget(raw: string | null): string {
  return raw && /^\/(?![/\\])/.test(raw) && !raw.startsWith("/login") ? raw : "/dashboards";
}
