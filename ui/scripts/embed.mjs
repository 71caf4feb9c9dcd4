// embed.mjs DIST OUT_S OUT_C: compresses every file of DIST (gzip 9, brotli 11) and writes an assembler file that holds
// the results (.incbin) and a C file with the table that src/api/ui_assets.h declares. index.html stays uncompressed,
// because the server writes the boot data into it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".png": "image/png",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

function files(dir) {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const path = join(dir, name);
      return statSync(path).isDirectory() ? files(path) : [path];
    });
}

const [dist, outS, outC] = process.argv.slice(2).map((p) => resolve(p));
if (!outC || !existsSync(join(dist, "index.html"))) {
  console.error(outC ? `${dist}/index.html is missing: run "npm run build" first` : "usage: embed.mjs DIST OUT_S OUT_C");
  process.exit(2);
}
const store = outS + ".d";
rmSync(store, { recursive: true, force: true });
mkdirSync(store, { recursive: true });
mkdirSync(dirname(outC), { recursive: true });

const asm = ["/* made by ui/scripts/embed.mjs */", '.section .rodata,"a"'];
const externs = [];
const rows = [];
let total = 0;

function blob(index, form, bytes) {
  const name = `cairn_ui_${index}_${form}`;
  const path = join(store, name);
  writeFileSync(path, bytes);
  asm.push(".balign 16", `.globl ${name}`, `.hidden ${name}`, `${name}:`, `.incbin ${JSON.stringify(path)}`, ".byte 0");
  externs.push(`extern const char ${name}[] __attribute__((visibility("hidden")));`);
  total += bytes.length;
  return `{${name}, ${bytes.length}}`;
}

files(dist).forEach((path, i) => {
  const url = "/" + relative(dist, path).split("\\").join("/");
  const bytes = readFileSync(path);
  const page = url === "/index.html";
  const immutable = url.startsWith("/assets/");
  const none = "{NULL, 0}";
  const gzip = page ? none : blob(i, "gz", gzipSync(bytes, { level: 9 }));
  const brotli = page
    ? none
    : blob(i, "br", brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
  const identity = page ? blob(i, "id", bytes) : none;
  const type = types[extname(url)] ?? "application/octet-stream";
  rows.push(`    {${JSON.stringify(url)}, ${JSON.stringify(type)}, ${gzip}, ${brotli}, ${identity}, ${immutable}},`);
});
asm.push('.section .note.GNU-stack,"",%progbits', "");

/* The page's inline scripts by their hashes, for its content security policy. Data blocks (with a type) are not run. */
const inline = [...readFileSync(join(dist, "index.html"), "utf8").matchAll(/<script>([\s\S]*?)<\/script>/g)];
const hashes = inline.map((m) => ` 'sha256-${createHash("sha256").update(m[1]).digest("base64")}'`).join("");

writeFileSync(outS, asm.join("\n"));
writeFileSync(
  outC,
  `/* made by ui/scripts/embed.mjs */\n#include "api/ui_assets.h"\n\n${externs.join("\n")}\n\nconst struct ui_asset ui_assets[] = {\n${rows.join("\n")}\n};\nconst size_t ui_asset_count = ${rows.length};\nconst char ui_inline_scripts[] = ${JSON.stringify(hashes)};\n`,
);
console.log(`web app: ${rows.length} files, ${(total / 1024).toFixed(0)} KiB embedded`);
