/* The grammars know nothing of dashboards' variables. Before checking, each is replaced by text of the same length
 * that is legal where it stands, so that positions stay true. Pure. */
export const variable = /\$\{[^}]*\}|\$\w+|\[\[\w+\]\]/g;

export interface Masked { text: string; spans: [from: number, to: number][] }

export function maskVariables(text: string): Masked {
  const spans: [number, number][] = [];
  const out = text.replace(variable, (m, at: number) => {
    spans.push([at, at + m.length]);
    const inRange = /[[:]\s*$/.test(text.slice(0, at));
    /* a duration inside brackets: digits and a unit; elsewhere a name */
    return inRange ? "1".repeat(m.length - 1) + "s" : "a".repeat(m.length);
  });
  return { text: out, spans };
}

export const touches = (spans: Masked["spans"], from: number, to: number) => spans.some(([a, b]) => from < b && to > a);
