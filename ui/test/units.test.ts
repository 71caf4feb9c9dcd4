import assert from "node:assert/strict";
import { test } from "node:test";
import { plain, unitFormat, unitIds } from "../src/semantics/units";

const say = (unit: string, v: number | null, decimals?: number) => plain(unitFormat(unit)(v, decimals, "utc"));

/* Expected texts are what Grafana 13 shows for the same unit, value and decimals. */
const table: [string, number, number | undefined, string][] = [
  ["none", 0.00123, undefined, "0.00123"], ["none", 1234.5678, undefined, "1235"], ["none", 12.3456, undefined, "12.3"], ["none", 12.3456, 2, "12.35"], ["none", 1.5, 2, "1.50"],
  ["none", 1e21, undefined, "1e+21"], ["none", Infinity, undefined, "∞"],
  ["short", 1234.5678, undefined, "1.23 K"], ["short", 12345678, undefined, "12.3 Mil"], ["short", -2500, undefined, "-2.50 K"], ["short", 999.999, 0, "1000"],
  ["sishort", 1500, undefined, "1.50 k"], ["percent", 12.3456, undefined, "12.3%"], ["percentunit", 0.123456, undefined, "12.3%"], ["percentunit", 0.5, 1, "50.0%"],
  ["bytes", 1024, undefined, "1 KiB"], ["bytes", 1500, undefined, "1.46 KiB"], ["decbytes", 1500, undefined, "1.50 kB"], ["kbytes", 1536, undefined, "1.50 MiB"],
  ["binBps", 1048576, undefined, "1 MiB/s"], ["Bps", 1500000, undefined, "1.50 MB/s"], ["bps", 1500, 1, "1.5 kb/s"], ["bits", 2048, undefined, "2 Kib"],
  ["s", 0, undefined, "0 s"], ["s", 0.0012, undefined, "1.20 ms"], ["s", 0.25, undefined, "250 ms"], ["s", 1e-7, undefined, "100 ns"], ["s", 90, undefined, "1.50 mins"], ["s", 3600, undefined, "1 hour"],
  ["s", 7200, undefined, "2 hours"], ["ms", 0.5, undefined, "0.500 ms"], ["ms", 61000, 2, "1.02 mins"], ["ns", 1500, undefined, "1.50 µs"], ["µs", 2500, undefined, "2.50 ms"], ["m", 90, undefined, "1.50 hours"], ["d", 14, undefined, "2 weeks"],
  ["reqps", 1234, undefined, "1.23K req/s"], ["reqps", 0.5, undefined, "0.500 req/s"], ["ops", 12, undefined, "12 ops/s"], ["cps", 1e6, undefined, "1M c/s"], ["wps", 3, 1, "3.0 wr/s"],
  ["hertz", 1500, undefined, "1.50 kHz"], ["watt", 0.015, undefined, "15 mW"], ["celsius", 21.46, 1, "21.5 °C"], ["currencyUSD", -1500, undefined, "-$1.50K"], ["currencySEK", 1500, undefined, "1.50Kkr"],
  ["dtdurations", 3661, undefined, "1 hour"], ["dtdurations", 3661, 2, "1 hour, 1 minute, 1 second"], ["dthms", 3661, undefined, "01:01:01"], ["dtdhms", 90061, undefined, "1 d 01:01:01"], ["clocks", 61.5, undefined, "01m:01s:500ms"],
  ["hex", 255, undefined, "FF"], ["hex0x", -255, undefined, "-0xFF"], ["sci", 12345, 2, "1.23e+4"], ["bool_yes_no", 1, undefined, "Yes"], ["bool", 0, undefined, "False"],
  ["dateTimeAsIso", 0, undefined, "1970-01-01 00:00:00"], ["time:YYYY-MM", 0, undefined, "1970-01"], ["prefix:~", 5, undefined, "~5"], ["suffix:req", 5, undefined, "5 req"], ["si:mW", 5, undefined, "5 mW"],
  ["count:x", 1500, undefined, "1.50K x"], ["currency:E", 5, undefined, "E5"], ["bool:up/down", 1, undefined, "up"], ["widgets", 5, undefined, "5 widgets"],
];

test("units read as in Grafana", () => {
  for (const [unit, v, d, want] of table) assert.equal(say(unit, v, d), want, `${unit} ${v} ${d}`);
});
test("every unit formats every kind of number and leaves null empty", () => {
  assert.ok(unitIds().length >= 270);
  for (const id of unitIds()) {
    for (const v of [0, -1, 1e-9, 3.7, 1e15, Infinity, -Infinity, NaN]) assert.equal(typeof say(id, v), "string");
    if (id !== "string" && !id.startsWith("bool")) assert.equal(say(id, null), "");
  }
});
