import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/* The entry's style sheet goes into index.html: one round trip less before the first paint. Chunks find each other
 * relative to themselves, and the page names its assets from the root ("/assets/"), so a server below a sub path has
 * one string to replace. */
function inlineEntryCss(): Plugin {
  return {
    name: "cairn-inline-entry-css",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const html = bundle["index.html"];
      if (!html || html.type !== "asset") return;
      html.source = String(html.source).replace(/<link rel="stylesheet"[^>]*href="\.\/([^"]+\.css)"[^>]*>/g, (tag, name) => {
        const css = bundle[name];
        if (!css || css.type !== "asset") return tag;
        delete bundle[name];
        return `<style>${String(css.source).trim()}</style>`;
      });
      html.source = html.source.replaceAll('="./assets/', '="/assets/');
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
