import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type Rollup } from "vite";

/* Chunks that load further chunks list the entry's sheet among what those need: it is there already, so the list names
 * the entry itself in its place, which the browser has. */
function forgetSheet(bundle: Rollup.OutputBundle, sheet: string) {
  const chunks = Object.values(bundle).filter((f) => f.type === "chunk");
  const entry = chunks.find((c) => c.isEntry)!;
  const here = (path: string) => JSON.stringify("./" + path.replace(/^.*\//, ""));
  for (const c of chunks) c.code = c.code.replaceAll(here(sheet), here(entry.fileName));
}

/* The entry's style sheet goes into index.html: one round trip less before the first paint. Chunks find each other
 * relative to themselves, and the page names its assets from the root ("/assets/"), so a server below a sub path has
 * one string to replace. */
function inlineEntryCss(): Plugin {
  return {
    name: "cairn-inline-entry-css",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post", /* the lists of chunks are written by then */
      handler(_options, bundle) {
        const html = bundle["index.html"];
        if (!html || html.type !== "asset") return;
        html.source = String(html.source).replace(/<link rel="stylesheet"[^>]*href="\.\/([^"]+\.css)"[^>]*>/g, (tag, name) => {
          const css = bundle[name];
          if (!css || css.type !== "asset") return tag;
          delete bundle[name];
          forgetSheet(bundle, name);
          return `<style>${String(css.source).trim()}</style>`;
        });
        html.source = html.source.replaceAll('="./assets/', '="/assets/');
      },
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [react(), inlineEntryCss()],
  build: {
    target: "es2022",
    outDir: "dist",
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/api": process.env.CAIRN_URL ?? "http://127.0.0.1:3000", "/login": process.env.CAIRN_URL ?? "http://127.0.0.1:3000" } },
});
