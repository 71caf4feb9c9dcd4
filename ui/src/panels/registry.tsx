/* The panel types: one row each. Those most dashboards open with are in the entry, others load when they are needed. */
import { lazy } from "react";
import BarGaugePanel from "./BarGaugePanel";
import GaugePanel from "./GaugePanel";
import StatPanel from "./StatPanel";
import TimeSeriesPanel from "./TimeSeriesPanel";
import type { PanelType } from "./types";

export const panelTypes: Record<string, PanelType> = {
  timeseries: { name: "Time series", component: TimeSeriesPanel },
  stat: { name: "Stat", component: StatPanel },
  gauge: { name: "Gauge", component: GaugePanel },
  bargauge: { name: "Bar gauge", component: BarGaugePanel },
  table: { name: "Table", component: lazy(() => import("./TablePanel")) },
  logs: { name: "Logs", component: lazy(() => import("./LogsPanel")) },
  text: { name: "Text", component: lazy(() => import("./TextPanel")), static: true },
};
