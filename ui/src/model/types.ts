/* A dashboard as Grafana's classic JSON has it: what the app reads of it. Everything else in the file stays as it is. */
import type { FieldConfigSource } from "../semantics/fieldconfig";

export type SourceRef = { type?: string; uid?: string } | string | null | undefined;
export interface GridPos { x: number; y: number; w: number; h: number }

export interface Target {
  refId?: string;
  datasource?: SourceRef;
  hide?: boolean;
  expr?: string;
  legendFormat?: string;
  format?: "time_series" | "table" | "heatmap" | string;
  instant?: boolean;
  range?: boolean;
  interval?: string;
  intervalFactor?: number;
  queryType?: string;
  maxLines?: number;
  direction?: "forward" | "backward";
  step?: string | number;
  resolution?: number;
}
export interface Transformation { id: string; disabled?: boolean; filter?: { id: string; options?: unknown }; options: Record<string, unknown> }
export interface PanelLink { title?: string; url?: string; targetBlank?: boolean }

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  gridPos?: GridPos;
  transparent?: boolean;
  datasource?: SourceRef;
  targets?: Target[];
  fieldConfig?: FieldConfigSource;
  options?: Record<string, unknown>;
  transformations?: Transformation[];
  interval?: string | null;
  maxDataPoints?: number | null;
  timeFrom?: string | null;
  timeShift?: string | null;
  hideTimeOverride?: boolean;
  links?: PanelLink[];
  repeat?: string;
  repeatDirection?: "h" | "v";
  maxPerRow?: number;
  collapsed?: boolean;
  panels?: Panel[];
  libraryPanel?: { uid: string; name: string };
}

export interface VariableOption { text: string | string[]; value: string | string[]; selected?: boolean }
export interface VariableModel {
  name: string;
  type: "query" | "custom" | "interval" | "constant" | "textbox" | "datasource" | "adhoc" | "groupby" | "switch" | string;
  label?: string | null;
  description?: string | null;
  hide?: 0 | 1 | 2 | number;
  query?: string | { query?: string; refId?: string; type?: number; label?: string; stream?: string; qryType?: number };
  definition?: string;
  datasource?: SourceRef;
  current?: Partial<VariableOption>;
  options?: VariableOption[];
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  regex?: string;
  sort?: number;
  refresh?: number;
  skipUrlSync?: boolean;
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
}

export interface DashboardLink { title?: string; type?: string; url?: string; tags?: string[]; asDropdown?: boolean; targetBlank?: boolean; includeVars?: boolean; keepTime?: boolean; icon?: string; tooltip?: string }
export interface DashboardJson {
  uid?: string;
  id?: number | null;
  title?: string;
  description?: string;
  tags?: string[];
  timezone?: string;
  weekStart?: string;
  fiscalYearStartMonth?: number;
  editable?: boolean;
  graphTooltip?: 0 | 1 | 2 | number;
  time?: { from: string; to: string };
  timepicker?: { refresh_intervals?: string[]; hidden?: boolean; nowDelay?: string };
  refresh?: string | false;
  schemaVersion?: number;
  version?: number;
  panels?: Panel[];
  rows?: OldRow[];
  templating?: { list?: VariableModel[] };
  links?: DashboardLink[];
}
export interface OldRow { title?: string; collapse?: boolean; showTitle?: boolean; height?: number | string; repeat?: string | null; panels?: (Panel & { span?: number })[] }
