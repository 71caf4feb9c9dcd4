/* Colours by name, palettes and scales. Names are Grafana's, because dashboards hold them; the palette for series is
 * our own, chosen to be told apart by colour-blind eyes in both themes. */
import type { Theme } from "../lib/theme";
import type { ColorConfig } from "./frame";

/* super-light, light, plain, semi-dark, dark; the light theme starts one step further on. */
const hues: Record<string, string[]> = {
  red: ["#FFA6B0", "#FF7383", "#F2495C", "#E02F44", "#C4162A", "#AD0317"],
  orange: ["#FFCB7D", "#FFB357", "#FF9830", "#FF780A", "#FA6400", "#E55400"],
  yellow: ["#FFF899", "#FFEE52", "#FADE2A", "#F2CC0C", "#E0B400", "#CC9D00"],
  green: ["#C8F2C2", "#96D98D", "#73BF69", "#56A64B", "#37872D", "#19730E"],
  blue: ["#C0D8FF", "#8AB8FF", "#5794F2", "#3274D9", "#1F60C4", "#1250B0"],
  purple: ["#DEB6F2", "#CA95E5", "#B877D9", "#A352CC", "#8F3BB8", "#7C2EA3"],
};
const shades = ["super-light-", "light-", "", "semi-dark-", "dark-"];

export function namedColor(name: string | undefined, theme: Theme): string {
  if (!name) return theme === "dark" ? "#8e96a3" : "#6b7280";
  if (name === "transparent") return "#00000000";
  if (name === "text") return theme === "dark" ? "#d8dce2" : "#2b3038";
  if (name === "panel-bg") return theme === "dark" ? "#181b20" : "#ffffff";
  const m = /^(super-light-|light-|semi-dark-|dark-)?(red|orange|yellow|green|blue|purple)$/.exec(name);
  if (m) return hues[m[2]!]![shades.indexOf(m[1] ?? "") + (theme === "light" ? 1 : 0)]!;
  return name;
}

const palettes: Record<Theme, string[]> = {
  dark: ["#5aa2f7", "#f2a541", "#3fc1a5", "#e678b4", "#a7c957", "#b794f6", "#f27059", "#62c8e6", "#d9c45a", "#8f9fd6", "#c98d5f", "#7fd68a"],
  light: ["#1f6fd6", "#c76a00", "#0f8a72", "#c2358a", "#5f8a12", "#7a4fd0", "#cf3f2b", "#0e86a8", "#9a7b00", "#4f5fb0", "#8f5528", "#2e9648"],
};
export const palette = (theme: Theme) => palettes[theme];

function hash(text: string): number {
  let h = 5381;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 33) ^ text.charCodeAt(i)) >>> 0;
  return h;
}

/* A series keeps its colour across the panels of a page: the first panel to show a name decides, and within a panel
 * two names get two colours while there are enough. */
const taken = new Map<string, number>();
export function forgetColors(): void {
  taken.clear();
}
export function seriesColors(names: string[], theme: Theme): string[] {
  const colors = palettes[theme];
  const used = new Set<number>();
  const out = new Array<number>(names.length).fill(-1);
  names.forEach((name, i) => {
    const had = taken.get(name);
    if (had !== undefined && !used.has(had)) used.add((out[i] = had));
  });
  names.forEach((name, i) => {
    if (out[i]! >= 0) return;
    let slot = taken.size ? hash(name) % colors.length : 0;
    if (names.length === 1 && !taken.has(name)) slot = 0;
    for (let k = 0; k < colors.length && used.has(slot); k++) slot = (slot + 1) % colors.length;
    if (used.size >= colors.length) slot = i % colors.length;
    used.add(slot);
    out[i] = slot;
    if (!taken.has(name)) taken.set(name, slot);
  });
  return out.map((slot) => colors[slot]!);
}

const scales: Record<string, string[]> = {
  "continuous-GrYlRd": ["green", "yellow", "red"],
  "continuous-RdYlGr": ["red", "yellow", "green"],
  "continuous-BlYlRd": ["dark-blue", "super-light-yellow", "dark-red"],
  "continuous-YlRd": ["super-light-yellow", "dark-red"],
  "continuous-BlPu": ["blue", "purple"],
  "continuous-YlBl": ["super-light-yellow", "dark-blue"],
  "continuous-blues": ["panel-bg", "dark-blue"],
  "continuous-reds": ["panel-bg", "dark-red"],
  "continuous-greens": ["panel-bg", "dark-green"],
  "continuous-purples": ["panel-bg", "dark-purple"],
  "continuous-viridis": ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"],
  "continuous-magma": ["#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf"],
  "continuous-plasma": ["#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921"],
  "continuous-inferno": ["#000004", "#57106e", "#bc3754", "#f98e09", "#fcffa4"],
  "continuous-cividis": ["#00224e", "#434e6c", "#7d7c78", "#bcaf6f", "#fee838"],
};
export const isContinuous = (c: ColorConfig | undefined) => !!c && c.mode in scales;
export const isByValue = (c: ColorConfig | undefined) => !c || c.mode === "thresholds" || isContinuous(c);

const channels = (hex: string) => {
  const h = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, "$&$&") : hex;
  return [1, 3, 5].map((i) => parseInt(h.slice(i, i + 2), 16));
};
/* share 0 to 1 along the scale of a continuous mode */
export function scaleColor(mode: string, share: number, theme: Theme): string {
  const stops = (scales[mode] ?? scales["continuous-GrYlRd"]!).map((n) => namedColor(n, theme));
  const at = Math.min(Math.max(Number.isFinite(share) ? share : 0, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  const [a, b] = [channels(stops[i]!), channels(stops[i + 1]!)];
  return "#" + a.map((c, k) => Math.round(c + (b[k]! - c) * (at - i)).toString(16).padStart(2, "0")).join("");
}

function luminance(color: string): number {
  const [r, g, b] = channels(color).map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const isHex = (color: string) => /^#([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i.test(color);

/* Black or white, whichever reads better on the colour. */
export function textOn(color: string): string {
  return isHex(color) && luminance(color) > 0.179 ? "#000000" : "#ffffff";
}
/* What a colour looks like on a panel when it lets some of the panel through. */
export function onPanel(color: string, share: number, theme: Theme): string {
  if (!isHex(color)) return color;
  const under = channels(namedColor("panel-bg", theme));
  return "#" + channels(color).map((c, i) => Math.round(c * share + under[i]! * (1 - share)).toString(16).padStart(2, "0")).join("");
}

const readable = new Map<string, string>();
/* The colour for text on a panel: itself, or moved towards the text colour until its contrast is AA. */
export function textColor(color: string, theme: Theme): string {
  if (!isHex(color)) return color;
  const key = theme + color;
  const had = readable.get(key);
  if (had) return had;
  const surface = luminance(namedColor("panel-bg", theme));
  const towards = channels(theme === "dark" ? "#ffffff" : "#11151a");
  let out = color;
  for (let mix = 0; mix <= 1; mix += 0.08) {
    out = "#" + channels(color).map((c, i) => Math.round(c + (towards[i]! - c) * mix).toString(16).padStart(2, "0")).join("");
    const [hi, lo] = [Math.max(luminance(out), surface), Math.min(luminance(out), surface)];
    if ((hi + 0.05) / (lo + 0.05) >= 4.6) break;
  }
  readable.set(key, out);
  return out;
}
