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
  heatmap: { name: "Heatmap", component: lazy(() => import("./HeatmapPanel")) },
  piechart: { name: "Pie chart", component: lazy(() => import("./PieChartPanel")) },
  barchart: { name: "Bar chart", component: lazy(() => import("./BarChartPanel")) },
  "state-timeline": { name: "State timeline", component: lazy(() => import("./StateTimelinePanel")) },
  "status-history": { name: "Status history", component: lazy(() => import("./StateTimelinePanel")) },
  dashlist: { name: "Dashboard list", component: lazy(() => import("./DashListPanel")), static: true },
  text: { name: "Text", component: lazy(() => import("./TextPanel")), static: true },
};
