/* Links with the page's variables and time range. */
import { formats, type Lookup } from "../model/interpolate";
import { valueOf } from "../model/variables";
import type { PageState } from "./context";

/* ${__url_time_range} and ${__all_variables} beside the others. */
export function urlVariables(page: PageState): Lookup {
  return (name) => {
    if (name === "__url_time_range") return plainValue(timeQuery(page));
    if (name === "__all_variables") return plainValue(variablesQuery(page));
    return page.lookup(name);
  };
}
const plainValue = (value: string) => ({ value, text: value });
export const timeQuery = (page: PageState) => `from=${encodeURIComponent(page.range.raw.from)}&to=${encodeURIComponent(page.range.raw.to)}`;
export const variablesQuery = (page: PageState) =>
  page.variables
    .filter((v) => !v.model.skipUrlSync)
    .map((v) => (v.value.includes("$__all") ? `var-${v.model.name}=$__all` : formats.queryparam!(valueOf(v), v.model.name)))
    .join("&");
