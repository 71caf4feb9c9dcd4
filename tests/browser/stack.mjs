/* The real program on free loopback ports with the sample application, for the browser tests. The flags are those of
 * tests/lib/stack.py. */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const password = "browser-test";
const roles = ["metrics", "logs", "agent", "dashboards", "demo"];

function freePort() {
  return new Promise((done, fail) => {
    const s = createServer();
    s.on("error", fail);
    s.listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/* No use to wait any longer. */
class Ended extends Error {}

/* Asks until the answer is truthy; failures count as "not yet". */
export async function until(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let why = "";
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (e) {
      if (e instanceof Ended) throw e;
      why = `: ${e.message}`;
    }
    await pause(150);
  }
  throw new Error(`waited ${seconds} s for ${what}${why}`);
}

export class Stack {
  static async start() {
    const s = new Stack();
    s.dir = mkdtempSync(join(tmpdir(), "cairn-browser-"));
    s.ports = {};
    for (const role of roles) s.ports[role] = await freePort();
    const program = process.env.CAIRN ?? join(root, "build/cairn");
    const args = ["serve", `--data=${s.dir}/data`, ...roles.map((r) => `--${r}-address=127.0.0.1:${s.ports[r]}`), "--demo", `--demo-log=${s.dir}/app.log`];
    const log = openSync(`${s.dir}/cairn.log`, "a");
    s.process = spawn(program, args, { stdio: ["ignore", log, log], env: { ...process.env, GF_SECURITY_ADMIN_PASSWORD: password } });
    closeSync(log);
    s.process.on("error", (e) => (s.ended = e.message));
    s.process.on("exit", (code, signal) => (s.ended ??= `the program ended with ${code ?? signal}`));
    const ready = { metrics: "/-/ready", logs: "/ready", dashboards: "/api/health" };
    try {
      for (const [role, path] of Object.entries(ready)) {
        await until(`the role ${role}`, async () => {
          if (s.ended) throw new Ended(s.ended);
          return (await fetch(s.url(role, path))).ok;
        });
      }
    } catch (e) {
      const said = s.tail();
      await s.stop();
      throw new Error(`${e.message}\n${said}`);
    }
    return s;
  }

  url(role, path = "") {
    return `http://127.0.0.1:${this.ports[role]}${path}`;
  }

  tail(lines = 30) {
    return readFileSync(`${this.dir}/cairn.log`, "utf8").split("\n").slice(-lines).join("\n");
  }

  /* The data of an API answer, straight from the role, past the dashboards. */
  async api(role, path, params = {}) {
    const res = await fetch(this.url(role, path + "?" + new URLSearchParams(params)));
    const body = await res.json();
    if (body.status !== "success") throw new Error(`${path}: ${JSON.stringify(body).slice(0, 300)}`);
    return body.data;
  }

  async stop() {
    if (this.ended === undefined) {
      const gone = new Promise((done) => this.process.on("exit", done));
      this.process.kill("SIGTERM");
      await Promise.race([gone, pause(10_000)]);
      if (this.ended === undefined) this.process.kill("SIGKILL");
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
