/* The colour schemes of heatmaps, by the names dashboards use. */

/* Stops of the colour schemes, pale to strong. */
const schemes: Record<string, string[]> = {
  Oranges: ["#fff5eb", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"], Blues: ["#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"], Greens: ["#f7fcf5", "#c7e9c0", "#74c476", "#238b45", "#00441b"],
  Reds: ["#fff5f0", "#fcbba1", "#fb6a4a", "#cb181d", "#67000d"], Purples: ["#fcfbfd", "#dadaeb", "#9e9ac8", "#6a51a3", "#3f007d"], Greys: ["#ffffff", "#d9d9d9", "#969696", "#525252", "#000000"],
  Spectral: ["#5e4fa2", "#66c2a5", "#e6f598", "#fdae61", "#9e0142"], RdYlGn: ["#006837", "#a6d96a", "#ffffbf", "#fdae61", "#a50026"], RdYlBu: ["#313695", "#abd9e9", "#ffffbf", "#fdae61", "#a50026"], RdBu: ["#053061", "#92c5de", "#f7f7f7", "#f4a582", "#67001f"],
  Viridis: ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"], Magma: ["#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf"], Inferno: ["#000004", "#57106e", "#bc3754", "#f98e09", "#fcffa4"], Plasma: ["#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921"],
  Turbo: ["#30123b", "#28bceb", "#a4fc3c", "#fb7e21", "#7a0403"], YlOrRd: ["#ffffcc", "#fed976", "#fd8d3c", "#e31a1c", "#800026"], YlGnBu: ["#ffffd9", "#c7e9b4", "#41b6c4", "#225ea8", "#081d58"], BuPu: ["#f7fcfd", "#bfd3e6", "#8c96c6", "#88419d", "#4d004b"],
};
/* One way light to dark; the dark theme starts at the dark end, so that few is near the background. */
export function ramp(scheme: string, reverse: boolean, dark: boolean, steps: number): string[] {
  const given = schemes[scheme] ?? schemes.Oranges!;
  const sequential = !/Spectral|^Rd|Turbo/.test(scheme);
  const bright = (hex: string) => parseInt(hex.slice(1, 3), 16) * 0.3 + parseInt(hex.slice(3, 5), 16) * 0.59 + parseInt(hex.slice(5, 7), 16) * 0.11;
  const rising = bright(given[0]!) < bright(given[given.length - 1]!);
  let stops = sequential && rising !== dark ? [...given].reverse() : given;
  if (reverse) stops = [...stops].reverse();
  return Array.from({ length: steps }, (_, i) => {
    const at = (i / Math.max(steps - 1, 1)) * (stops.length - 1);
    const k = Math.min(Math.floor(at), stops.length - 2);
    const c = (hex: string, n: number) => parseInt(hex.slice(1 + 2 * n, 3 + 2 * n), 16);
    return "#" + [0, 1, 2].map((n) => Math.round(c(stops[k]!, n) + (c(stops[k + 1]!, n) - c(stops[k]!, n)) * (at - k)).toString(16).padStart(2, "0")).join("");
  });
}
