// Bundles test/*.test.ts with esbuild, runs them with node's own test runner, and ends with "N passed, N failed".
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "node_modules/.cairn-test");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const names = readdirSync(join(root, "test")).filter((n) => n.endsWith(".test.ts"));
await build({
  entryPoints: names.map((n) => join(root, "test", n)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  jsx: "automatic",
  logLevel: "warning",
});

let passed = 0;
let failed = 0;
for (const n of names) {
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", join(out, n.replace(/\.ts$/, ".mjs"))], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, TZ: "UTC" } });
  let text = "";
  child.stdout.on("data", (d) => (text += d));
  const code = await new Promise((done) => child.on("close", done));
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)`, "m").exec(text)?.[1] ?? 0);
  const bad = count("fail") + count("cancelled");
  passed += count("pass");
  failed += bad || (code ? 1 : 0);
  if (bad || code) console.log(`--- ${n}\n${text}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
