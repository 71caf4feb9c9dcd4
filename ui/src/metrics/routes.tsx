/* The metrics engine's pages by Prometheus' addresses. One chunk, loaded by the role that shows them. */
import type { ReactNode } from "react";
import type { MetricsPath } from "./paths";
import Discovery from "./Discovery";
import Query from "./Query";
import { Alerts, Rules } from "./Rules";
import { Config, Flags, Status, TsdbStatus } from "./Status";
import Targets from "./Targets";

const pages: Record<MetricsPath, () => ReactNode> = {
  "/query": Query,
  "/graph": Query,
  "/targets": Targets,
  "/service-discovery": Discovery,
  "/rules": Rules,
  "/alerts": Alerts,
  "/status": Status,
  "/tsdb-status": TsdbStatus,
  "/flags": Flags,
  "/config": Config,
};

export default function MetricsPage({ path }: { path: MetricsPath }) {
  const Shown = pages[path];
  return <Shown />;
}
