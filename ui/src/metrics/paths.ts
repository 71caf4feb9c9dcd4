/* Addresses of the metrics engine's pages: Prometheus' own. */
export const metricsPaths = ["/query", "/graph", "/targets", "/service-discovery", "/rules", "/alerts", "/status", "/tsdb-status", "/flags", "/config"] as const;
export type MetricsPath = (typeof metricsPaths)[number];
export const isMetricsPath = (path: string): path is MetricsPath => (metricsPaths as readonly string[]).includes(path);
