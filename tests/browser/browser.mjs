/* What a person sees: the real program, a real browser. Signs in, opens the dashboard that comes with the program and
 * compares its numbers with the API's, explores metrics and logs, opens Prometheus' pages, measures the cold paint, asks
 * axe, and saves pictures. Ends with "N passed, N failed". */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { password, pause, root, Stack, until } from "./stack.mjs";

const need = createRequire(join(root, "ui/package.json"));
const { chromium } = need("playwright-core");
const axeSource = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");
/* `run.sh --pictures` makes those that the README shows: after some minutes, so that there is something to see. */
const forReadme = process.argv.includes("--pictures");
const pictures = join(root, forReadme ? "docs/screenshots" : "build/screenshots");
const historyMs = forReadme ? 6 * 60_000 : 0;
const shownRange = forReadme ? { from: "now-5m", to: "now" } : { from: "now-2m", to: "now" };
/* Navigation to all visible panels painted, cold, in milliseconds; the best of coldRuns counts, because a busy machine
 * only ever adds. */
const coldLimit = +(process.env.CAIRN_COLD_MS ?? 1200);
const coldRuns = 4;

let passed = 0;
let failed = 0;
function check(name, ok, detail = "") {
  if (ok) passed++;
  else {
    failed++;
    console.log(`FAILED ${name}${detail ? ": " + detail : ""}`);
  }
  return ok;
}
async function run(name, fn) {
  const began = Date.now();
  try {
    await fn();
    if (process.env.CAIRN_BROWSER_TIMES) console.log(`${name}: ${Date.now() - began} ms`);
  } catch (e) {
    check(name, false, e.message.split("\n").slice(0, 6).join(" "));
  }
}

/* -- the browser */

const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });

/* Everything a page complains about is a failure, except what a case expects. */
function watch(page, complaints) {
  page.on("console", (m) => m.type() === "error" && complaints.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => complaints.push(`error: ${e.message}`));
  page.on("response", (r) => r.status() >= 400 && complaints.push(`${r.status()} ${r.url()}`));
}

async function open(browser, { theme = "dark", width = 1280, height = 800, signedIn = null } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce", ...(signedIn && { storageState: signedIn }) });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints = [];
  watch(page, complaints);
  return { context, page, complaints };
}

const painted = (page, least) => page.waitForFunction((n) => window.__dash && window.__dash.pending === 0 && window.__dash.painted >= n, least);

async function axe(page, name) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const r = await window.axe.run(document, { resultTypes: ["violations"] });
    return r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].target.join(" ")} ${v.nodes[0].failureSummary.split("\n")[1] ?? ""}`);
  });
  check(`axe: ${name}`, found.length === 0, found.join("; "));
}

/* "4.14 req/s", "12.3 ms", "0.52 %" to a plain number of the base unit; NaN when it is none. */
const sizes = { "": 1, ms: 1e-3, "µs": 1e-6, s: 1, "%": 1e-2, K: 1e3, KiB: 1024, MiB: 1048576, GiB: 1073741824 };
function numberOf(text) {
  const m = /(-?[\d.,]+)\s*([^\s\d/]*)/.exec(text);
  return m ? +m[1].replace(/,/g, "") * (sizes[m[2]] ?? 1) : NaN;
}
const near = (shown, value) => Math.abs(shown - value) <= Math.max(Math.abs(value) * 0.006, 1e-9) || Math.abs(shown - value) < 0.0051;

const explorePath = (datasource, expr, range = { from: "now-15m", to: "now" }, more = {}) =>
  "/explore?" + new URLSearchParams({ schemaVersion: "1", panes: JSON.stringify({ a: { datasource, queries: [{ refId: "A", expr, ...more }], range } }) });

/* -- cases */

async function waitForData(stack) {
  /* two scrapes make a rate; every route was hit by then */
  await until("rates of the sample application", async () => {
    const { result } = await stack.api("metrics", "/api/v1/query", { query: "sum(rate(flask_app_request_count[1m])) > 0" });
    return result.length > 0;
  }, 60);
  /* from here on the dashboard's steps of 15 s have values too */
  const settled = Math.ceil(Date.now() / 15_000) * 15_000;
  await until("lines of the sample application", async () => {
    const { result } = await stack.api("logs", "/loki/api/v1/query_range", { query: '{job="flask-app"}', limit: "10" });
    return result.length > 0;
  }, 30);
  return settled;
}

async function signIn(browser, stack) {
  const { context, page, complaints } = await open(browser);
  await page.goto(stack.url("dashboards", "/d/cairn-app"));
  await page.waitForURL(/\/login/);
  await axe(page, "sign-in");
  await page.getByLabel(/user|e-mail/i).fill("admin");
  await page.getByLabel(/password/i).first().fill("wrong-password");
  await page.getByRole("button", { name: /sign in|log in/i }).click();
  await page.getByText(/(wrong|invalid) user ?name or password/i).waitFor();
  check("a wrong password is refused with a reason", true);
  await page.getByLabel(/password/i).first().fill(password);
  await page.getByRole("button", { name: /sign in|log in/i }).click();
  await page.waitForURL(/\/d\/cairn-app/);
  check("signing in leads to the page asked for", true);
  const odd = complaints.filter((c) => !/401/.test(c));
  check("signing in leaves no complaint", odd.length === 0, odd.join("; "));
  const state = await context.storageState();
  await context.close();
  return state;
}

async function dashboardList(browser, stack, signedIn) {
  const { context, page, complaints } = await open(browser, { signedIn });
  await page.goto(stack.url("dashboards", "/dashboards"));
  await page.getByRole("link", { name: /Application \(RED and USE\)/ }).waitFor();
  check("the list names the dashboard that comes with the program", true);
  await axe(page, "list of dashboards");
  await page.getByRole("link", { name: /Application \(RED and USE\)/ }).click();
  await page.waitForURL(/\/d\/cairn-app/);
  check("the list leads to the dashboard", true);
  check("the list leaves no complaint", complaints.length === 0, complaints.join("; "));
  await context.close();
}

/* Every query the page asks through the proxy, with the answer it got. */
function recordQueries(page) {
  const seen = [];
  page.on("response", async (r) => {
    const url = new URL(r.url());
    const m = /\/api\/datasources\/proxy\/uid\/([^/]+)(\/api\/v1\/query(?:_range)?)$/.exec(url.pathname);
    if (!m || r.status() !== 200) return;
    const params = r.request().method() === "POST" ? new URLSearchParams(r.request().postData() ?? "") : url.searchParams;
    seen.push(r.json().then((body) => ({ path: m[2], params: Object.fromEntries(params), data: body.data })));
  });
  return seen;
}

async function dashboard(browser, stack, signedIn, settled) {
  const { context, page, complaints } = await open(browser, { signedIn, height: 1000 });
  const asked = recordQueries(page);
  await until("values at the dashboard's steps", () => Date.now() > settled + 1000, 20);
  const to = Math.floor(Date.now() / 15_000) * 15_000;
  await page.goto(stack.url("dashboards", `/d/cairn-app?from=${to - 300_000}&to=${to}`));
  await painted(page, 6);
  const state = await page.evaluate(() => ({ ...window.__dash }));
  check("no panel failed", state.errors === 0, JSON.stringify(state));
  const answers = await Promise.all(asked);
  check("panels asked the metrics role", answers.length >= 4, `${answers.length} queries`);
  let same = 0;
  for (const a of answers) {
    const direct = await stack.api("metrics", a.path, a.params);
    same += JSON.stringify(direct.result) === JSON.stringify(a.data.result) ? 1 : 0;
  }
  check("panels got what the API says", same === answers.length, `${same} of ${answers.length} answers are equal`);
  for (const title of ["Requests", "Duration, 95 %", "In flight"]) await statEquals(page, title, answers);
  check("the dashboard leaves no complaint", complaints.length === 0, complaints.join("; "));
  await axe(page, "dashboard, dark");
  await context.close();
}

/* The number a stat panel shows is the last of its query's answer. */
async function statEquals(page, title, answers) {
  const shown = (await page.getByRole("region", { name: title, exact: true }).first().locator(".stat-value").first().innerText()).replace(/\s+/g, " ");
  const lasts = answers.flatMap((a) => (a.data.result ?? []).map((s) => +(s.values ?? [s.value]).at(-1)[1]));
  const value = numberOf(shown);
  check(`"${title}" shows a number of the API`, Number.isFinite(value) && lasts.some((v) => near(value, v)), `shown ${shown}, the API's last values are ${lasts.slice(0, 12).join(", ")}`);
}

async function cold(stack, signedIn) {
  const times = [];
  for (let i = 0; i < coldRuns && !(times.length > 1 && Math.min(...times) <= coldLimit); i++) {
    const browser = await launch();
    const { context, page } = await open(browser, { signedIn });
    await page.goto(stack.url("dashboards", "/d/cairn-app?from=now-5m&to=now"), { waitUntil: "commit" });
    await painted(page, 4);
    times.push(Math.round(await page.evaluate(() => performance.getEntriesByName("cairn:all-visible")[0].startTime)));
    await context.close();
    await browser.close();
  }
  console.log(`cold, navigation to all visible panels painted: ${times.join(", ")} ms`);
  check(`the dashboard is painted cold within ${coldLimit} ms`, Math.min(...times) <= coldLimit, `${times.join(", ")} ms`);
}

async function exploreMetrics(browser, stack, signedIn) {
  const { context, page, complaints } = await open(browser, { signedIn });
  const to = Math.floor(Date.now() / 15_000) * 15_000;
  const expr = "sum by (endpoint) (rate(flask_app_request_count[1m]))";
  await page.goto(stack.url("dashboards", explorePath("prometheus", expr, { from: String(to - 600_000), to: String(to) })));
  const table = page.getByRole("region", { name: /^Result table/ }).first();
  await table.getByRole("row").nth(1).waitFor();
  const rows = await table.locator("tbody tr").allInnerTexts();
  const { result } = await stack.api("metrics", "/api/v1/query", { query: expr, time: String(to / 1000) });
  const want = result.map((s) => `${s.metric.endpoint}\t${String(+s.value[1])}`).sort();
  check("Explore's table holds the API's values", JSON.stringify(rows.map((r) => r.trim()).sort()) === JSON.stringify(want), `${rows.join(" | ")} instead of ${want.join(" | ")}`);
  await page.locator(".uplot canvas").first().waitFor();
  check("Explore draws the graph", true);
  await axe(page, "Explore, metrics");
  const editor = page.getByRole("textbox", { name: "Query A" });
  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("flask_app_act");
  await page.locator(".cm-tooltip-autocomplete").getByRole("option", { name: /flask_app_active_requests/ }).click();
  check("the PromQL editor completes metric names", (await editor.innerText()).trim() === "flask_app_active_requests", await editor.innerText());
  await page.keyboard.press("Shift+Enter");
  await until("the new query in the address", async () => decodeURIComponent(page.url()).includes("flask_app_active_requests"));
  check("running a query puts it into the address", true);
  check("Explore leaves no complaint", complaints.length === 0, complaints.join("; "));
  await context.close();
}

/* A stream selector written by choosing from what the editor offers. */
async function completeLogs(browser, stack, signedIn) {
  const { context, page, complaints } = await open(browser, { signedIn });
  await page.goto(stack.url("dashboards", explorePath("loki", "")));
  const editor = page.getByRole("textbox", { name: "Query A" });
  const offered = page.locator(".cm-tooltip-autocomplete");
  await editor.click();
  await page.keyboard.type("{jo");
  await offered.getByRole("option", { name: "job" }).first().click();
  await page.keyboard.type("fl");
  await offered.getByRole("option", { name: "flask-app" }).click();
  check("the LogQL editor completes labels and their values", (await editor.innerText()).trim() === '{job="flask-app"}', await editor.innerText());
  await page.keyboard.press("Shift+Enter");
  await page.locator(".line-text").first().waitFor();
  check("what was chosen runs", true);
  check("the LogQL editor leaves no complaint", complaints.length === 0, complaints.join("; "));
  await context.close();
}

async function exploreLogs(browser, stack, signedIn) {
  const { context, page, complaints } = await open(browser, { signedIn, height: 900 });
  const to = Math.floor(Date.now() / 1000) * 1000 - 3000;
  const range = { from: String(to - 600_000), to: String(to) };
  await page.goto(stack.url("dashboards", explorePath("loki", '{job="flask-app"}', range)));
  const lines = page.getByRole("list", { name: "Log lines" });
  await lines.getByRole("listitem").first().waitFor();
  const all = await lines.getByRole("listitem").count();
  const editor = page.getByRole("textbox", { name: "Query A" });
  await editor.click();
  await page.keyboard.press("End");
  await page.keyboard.type(' |= "api/data');
  await page.keyboard.press("Shift+Enter");
  await page.locator(".line-text mark").first().waitFor();
  const shown = await lines.locator(".line-text").allInnerTexts();
  check("a filter leaves the lines that match", shown.length > 0 && shown.length <= all && shown.every((l) => l.includes("api/data")), `${shown.length} of ${all}`);
  const { result } = await stack.api("logs", "/loki/api/v1/query_range", { query: '{job="flask-app"} |= "api/data"', start: range.from + "000000", end: range.to + "000000", limit: "1000" });
  const want = result.flatMap((s) => s.values.map((v) => v[1])).sort();
  check("the lines are those of the API", JSON.stringify([...shown].sort()) === JSON.stringify(want), `${shown.length} shown, ${want.length} in the API`);
  check("the volume is drawn", (await page.getByRole("region", { name: "Lines over time" }).locator("canvas").count()) === 1);
  await axe(page, "Explore, logs");
  await lines.getByRole("button").first().click();
  await page.getByRole("button", { name: "No lines with job=flask-app" }).click();
  // another job (the machine's own logs) may have matching lines in the range: the page shows those of the API
  const others = await stack.api("logs", "/loki/api/v1/query_range", { query: '{job=~".+", job!="flask-app"} |= "api/data"', start: range.from + "000000", end: range.to + "000000", limit: "1000" });
  const left = JSON.stringify(others.result.flatMap((s) => s.values.map((v) => v[1])).sort());
  await until("only other jobs' lines", async () => JSON.stringify((await lines.locator(".line-text").allInnerTexts()).sort()) === left, 15);
  check("a click on a label filters it out", decodeURIComponent(page.url()).replace(/\+/g, " ").includes('job=~\\".+\\", job!=\\"flask-app\\"'.replace(/\+/g, " ")), decodeURIComponent(page.url()));
  await page.goto(stack.url("dashboards", explorePath("loki", '{job="flask-app"}', { from: "now-5m", to: "now" })));
  await lines.getByRole("listitem").first().waitFor();
  await page.getByRole("button", { name: "Live" }).click();
  await until("live lines", async () => (await lines.getByRole("listitem").count()) > 2, 20);
  const before = await lines.locator(".line-time").first().innerText();
  await until("newer live lines", async () => (await lines.locator(".line-time").first().innerText()) > before, 20);
  check("a live tail goes on, over a WebSocket", await page.locator(".live-dot.live").isVisible());
  check("Explore of logs leaves no complaint", complaints.length === 0, complaints.join("; "));
  await context.close();
}

async function metricsPages(browser, stack) {
  const { context, page, complaints } = await open(browser);
  await page.goto(stack.url("metrics", "/graph?g0.expr=up&g0.tab=1"));
  const rows = page.getByRole("region", { name: "Result table values" }).locator("tbody tr");
  await rows.first().waitFor();
  const { result } = await stack.api("metrics", "/api/v1/query", { query: "up" });
  check("/graph?g0.expr=up shows the API's series", (await rows.count()) === result.length, `${await rows.count()} instead of ${result.length}`);
  await page.getByText(/samples read/).waitFor();
  await page.getByText(/Will look at \d+ series/).waitFor();
  check("a query's cost is shown before and after it ran", true);
  await page.getByRole("tab", { name: "Graph" }).click();
  await page.locator(".uplot canvas").first().waitFor();
  check("the graph tab draws, and the address says so", page.url().includes("g0.tab=graph"));
  await axe(page, "query page");
  await page.goto(stack.url("metrics", "/targets"));
  const job = page.getByRole("region", { name: "Pool flask-app" });
  await job.getByText("1 of 1 up").waitFor();
  check("/targets shows the sample application as up", true);
  await axe(page, "targets");
  for (const [path, text] of [["/tsdb-status", "Metric names with most series"], ["/status", "Build"], ["/flags", "Command-line flags"], ["/config", "Configuration"], ["/service-discovery", "Service discovery"]]) {
    await page.goto(stack.url("metrics", path));
    await page.getByText(text, { exact: true }).first().waitFor();
    const bad = await page.getByRole("alert").count();
    check(`${path} is there`, bad === 0, `${bad} alerts on the page`);
  }
  check("the metrics pages leave no complaint", complaints.length === 0, complaints.join("; "));
  await context.close();
}

/* -- pictures, as the README shows them */

async function take(browser, stack, signedIn, name, theme, role, path, ready, size = {}) {
  const { context, page } = await open(browser, { signedIn, theme, ...size });
  await page.goto(stack.url(role, path));
  await ready(page);
  if (theme === "light") await axe(page, `${name}`);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  await context.close();
}

async function takeAll(browser, stack, signedIn) {
  mkdirSync(pictures, { recursive: true });
  const tall = { width: 1360, height: 900 };
  for (const theme of ["dark", "light"]) await run(`picture of the dashboard, ${theme}`, () => take(browser, stack, signedIn, theme === "dark" ? "dashboard" : "dashboard-light", theme, "dashboards", `/d/cairn-app?from=${shownRange.from}&to=now`, (p) => painted(p, 6), tall));
  await run("picture of Explore, logs", () => take(browser, stack, signedIn, "explore-logs", "dark", "dashboards", explorePath("loki", '{job="flask-app"} |~ "ERROR|WARNING"', shownRange), (p) => p.locator(".line-text").first().waitFor(), tall));
  await run("picture of Explore, metrics", () => take(browser, stack, signedIn, "explore-metrics", "light", "dashboards", explorePath("prometheus", "sum by (endpoint) (rate(flask_app_request_count[1m]))", shownRange), (p) => p.locator(".uplot canvas").first().waitFor(), tall));
  await run("picture of the query page", () => take(browser, stack, null, "query", "dark", "metrics", "/query?g0.expr=" + encodeURIComponent("histogram_quantile(0.95, sum by (endpoint, le) (rate(flask_app_request_duration_seconds_bucket[1m])))") + "&g0.tab=graph&g0.range_input=5m", (p) => Promise.all([p.locator(".uplot canvas").first().waitFor(), p.getByText(/Will look at/).waitFor()]), tall));
}

async function main() {
  const began = Date.now();
  const stack = await Stack.start();
  const browser = await launch();
  try {
    const settled = await waitForData(stack);
    let signedIn = null;
    await run("signing in", async () => (signedIn = await signIn(browser, stack)));
    if (signedIn) {
      await run("list of dashboards", () => dashboardList(browser, stack, signedIn));
      await run("metrics pages", () => metricsPages(browser, stack));
      await run("dashboard", () => dashboard(browser, stack, signedIn, settled));
      await run("Explore, metrics", () => exploreMetrics(browser, stack, signedIn));
      await run("the LogQL editor", () => completeLogs(browser, stack, signedIn));
      await run("Explore, logs", () => exploreLogs(browser, stack, signedIn));
      await run("cold paint", () => cold(stack, signedIn));
    }
    if (historyMs) await pause(Math.max(0, began + historyMs - Date.now()));
    if (signedIn) await takeAll(browser, stack, signedIn);
  } finally {
    await browser.close();
    await stack.stop();
  }
}

main()
  .catch((e) => check("the browser tests run", false, e.message))
  .finally(() => {
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
  });
