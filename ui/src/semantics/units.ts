/* Units by Grafana's ids: what text a number becomes. The same ids give the same text, decimals included, so a
 * dashboard reads the same; `format` is the whole of it. Unknown ids become a suffix, as there. */
import { formatTime } from "../lib/time";
import { toWall, type Zone } from "../lib/zone";

export interface Text { text: string; prefix?: string; suffix?: string }
export type Decimals = number | null | undefined;
export type Format = (value: number | null, decimals?: Decimals, zone?: Zone) => Text;

export const plain = (t: Text): string => `${t.prefix ?? ""}${t.text}${t.suffix ?? ""}`;

/* Enough decimals for two to three significant digits; none for whole numbers. */
function autoDecimals(v: number): number {
  if (v % 1 === 0) return 0;
  const abs = Math.abs(v);
  const digits = 1 - Math.floor(Math.log(abs) / Math.LN10);
  return Math.max(0, abs / 10 ** -digits > 2.25 ? digits + 1 : digits);
}

/* Rounded half up in decimal, padded with zeros to the decimals asked for. */
export function fixed(v: number, decimals?: Decimals): string {
  if (v === Infinity || v === -Infinity) return v > 0 ? "∞" : "-∞";
  const d = decimals ?? autoDecimals(v);
  if (v === 0) return v.toFixed(Math.max(0, d));
  const factor = d ? 10 ** Math.max(0, d) : 1;
  const text = String(Math.round(v * factor) / factor);
  if (text.includes("e") || text === "NaN") return text;
  const dot = text.indexOf(".");
  const have = dot < 0 ? 0 : text.length - dot - 1;
  return have >= d ? text : (have ? text : text + ".") + "0".repeat(d - have);
}

const clamp = (v: number, lo: number, hi: number) => Math.min(Math.max(v, lo), hi);
const blank: Text = { text: "" };

/* The number is divided by base until it is below it; steps[zero] is the unit as given. */
function scaled(base: number, steps: string[], zero = 0): Format {
  return (v, decimals) => {
    if (v === null || v === undefined) return blank;
    if (!isFinite(v)) return { text: v === Infinity ? "∞" : v === -Infinity ? "-∞" : "NaN" };
    const power = v === 0 ? 0 : Math.floor(Math.log10(Math.abs(v)) / Math.log10(base));
    const step = clamp(zero + power, 0, steps.length - 1);
    return { text: fixed(v / base ** (step - zero), decimals), suffix: steps[step]! };
  };
}
const siSteps = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"];
const si = (unit: string, offset = 0) => scaled(1000, siSteps.map((p) => ` ${p}${unit}`), 5 + offset);
const binary = (unit: string, offset = 0) => scaled(1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"].map((p) => ` ${p}${unit}`), offset);
const suffix = (unit: string): Format => (v, d) => (v === null ? blank : unit ? { text: fixed(v, d), suffix: " " + unit } : { text: fixed(v, d) });
const prefix = (unit: string): Format => (v, d) => (v === null ? blank : unit ? { text: fixed(v, d), prefix: unit } : { text: fixed(v, d) });
const thousands = ["", "K", "M", "B", "T"];
const count = (unit: string): Format => {
  const f = scaled(1000, thousands);
  return (v, d) => {
    if (v === null) return blank;
    const t = f(v, d);
    return { ...t, suffix: `${t.suffix} ${unit}` };
  };
};
const money = (symbol: string, behind = false): Format => {
  const f = scaled(1000, thousands);
  return (v, d) => {
    if (v === null || v === undefined) return blank;
    const t = f(Math.abs(v), d);
    const sign = v < 0 ? "-" : "";
    return behind ? { ...t, suffix: t.suffix === undefined ? undefined : t.suffix + symbol, prefix: sign || undefined } : { ...t, prefix: sign + symbol };
  };
};
const bool = (yes: string, no: string): Format => (v) => ({ text: v ? yes : no });
const percent = (scale: number): Format => (v, d) => (v === null ? blank : { text: fixed(v * scale, d), suffix: "%" });
const hex = (v: number, d?: Decimals) => parseFloat(fixed(v, d)).toString(16).toUpperCase();

/* ---- durations */
const plural = new Set([" min", " hour", " day", " week", " year"]);
const time = (v: number, d: Decimals, unit: string): Text => ({ text: fixed(v, d), suffix: plural.has(unit) && Math.abs(v) > 1 ? unit + "s" : unit });
/* rungs: below limit, divide by size and call it unit. The first rung's name never takes a plural. */
const ladder = (rungs: [limit: number, size: number, unit: string][]): Format => (v, d) => {
  if (v === null) return blank;
  const at = rungs.findIndex(([limit]) => Math.abs(v) < limit);
  const [, size, unit] = rungs[at < 0 ? rungs.length - 1 : at]!;
  return size === 1 ? { text: fixed(v, d), suffix: unit } : time(v / size, d, unit);
};
const secondsLadder = ladder([
  [1e-6, 1e-9, " ns"], [1e-3, 1e-6, " µs"], [1, 1e-3, " ms"], [60, 1, " s"], [3600, 60, " min"], [86400, 3600, " hour"], [604800, 86400, " day"],
  [31536000, 604800, " week"], [Infinity, 31556900, " year"],
]);
/* Multiplying, because dividing by 1e-3 rounds differently. */
const seconds: Format = (v, d) => {
  if (v === null) return blank;
  const abs = Math.abs(v);
  if (v === 0) return { text: "0", suffix: " s" };
  if (abs < 1e-6) return time(v * 1e9, d, " ns");
  if (abs < 1e-3) return time(v * 1e6, d, " µs");
  if (abs < 1) return time(v * 1e3, d, " ms");
  return secondsLadder(v, d);
};
const days: Format = (v, d) => {
  if (v === null) return blank;
  const abs = Math.abs(v);
  return abs < 7 ? time(v, d, " day") : abs < 365 ? time(v / 7, d, " week") : time(v / 365, d, " year");
};
const words: [string, number][] = [["year", 31536e6], ["month", 2592e6], ["week", 6048e5], ["day", 864e5], ["hour", 36e5], ["minute", 6e4], ["second", 1e3], ["millisecond", 1]];
/* "1 hour, 5 minutes": decimals says how many more units follow the first. */
function spelled(ms: number, decimals: Decimals, zero: string): Text {
  if (ms === 0) return { text: "0", suffix: ` ${zero}` };
  if (ms < 0) {
    const t = spelled(-ms, decimals, zero);
    return { ...t, suffix: `${t.suffix ?? ""} ago` };
  }
  const out: string[] = [];
  let left = ms;
  let more = decimals ?? 0;
  for (const [word, size] of words) {
    if (more < 0) break;
    if (left / size < 1 && !out.length) continue;
    const n = Math.floor(left / size);
    out.push(`${n} ${word}${n === 1 ? "" : "s"}`);
    left %= size;
    more--;
  }
  return { text: out.join(", ") };
}
const two = (n: number, width = 2) => String(n).padStart(width, "0");
function clock(ms: number, decimals: Decimals): Text {
  const parts = [`${two(Math.floor(ms / 60_000) % 60)}m`, `${two(Math.floor(ms / 1000) % 60)}s`, `${two(Math.floor(ms) % 1000, 3)}ms`];
  if (ms < 1000) return { text: parts[2]! };
  if (ms < 60_000) return { text: parts.slice(1, decimals === 0 ? 2 : 3).join(":") };
  if (ms < 3_600_000) return { text: parts.slice(0, (decimals ?? 2) >= 2 ? 3 : 1 + (decimals ?? 2)).join(":") };
  const keep = decimals === null || decimals === undefined || decimals > 2 ? 3 : decimals;
  return { text: [`${Math.floor(ms / 3_600_000)}h`, ...parts.slice(0, keep)].join(":") };
}
function hms(s: number, withDays: boolean): Text {
  if (s < 0) return { text: hms(-s, withDays).text, suffix: " ago" };
  const d = withDays ? Math.floor(s / 86400) : 0;
  const rest = s - d * 86400;
  return { text: `${d > 0 ? `${d} d ` : ""}${two(Math.floor(rest / 3600))}:${two(Math.floor((rest % 3600) / 60))}:${two(Math.floor((rest % 3600) % 60))}` };
}

/* ---- dates */
const monthNames = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const dayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/* The tokens of moment that people use: YYYY YY MMMM MMM MM M DD D dddd ddd HH H hh h mm m ss s SSS A a X x, [literal]. */
export function datePattern(ts: number, pattern: string, zone: Zone = "browser"): string {
  const w = toWall(ts, zone);
  const h = w.getUTCHours();
  const map: Record<string, () => string | number> = {
    YYYY: () => w.getUTCFullYear(), YY: () => two(w.getUTCFullYear() % 100), MMMM: () => monthNames[w.getUTCMonth()]!, MMM: () => monthNames[w.getUTCMonth()]!.slice(0, 3),
    MM: () => two(w.getUTCMonth() + 1), M: () => w.getUTCMonth() + 1, DD: () => two(w.getUTCDate()), D: () => w.getUTCDate(), dddd: () => dayNames[w.getUTCDay()]!,
    ddd: () => dayNames[w.getUTCDay()]!.slice(0, 3), HH: () => two(h), H: () => h, hh: () => two(h % 12 || 12), h: () => h % 12 || 12, mm: () => two(w.getUTCMinutes()),
    m: () => w.getUTCMinutes(), ss: () => two(w.getUTCSeconds()), s: () => w.getUTCSeconds(), SSS: () => two(w.getUTCMilliseconds(), 3), A: () => (h < 12 ? "AM" : "PM"),
    a: () => (h < 12 ? "am" : "pm"), X: () => Math.floor(ts / 1000), x: () => ts,
  };
  return pattern.replace(/\[([^\]]*)\]|YYYY|YY|MMMM|MMM|MM|M|DD|D|dddd|ddd|HH|H|hh|h|mm|m|ss|s|SSS|A|a|X|x/g, (t, literal: string | undefined) => literal ?? String(map[t]!()));
}
export function timeAgo(ts: number, now = Date.now()): string {
  if (!(Math.abs(ts) <= 8.64e15)) return "Invalid date";
  const s = Math.abs(now - ts) / 1000;
  const steps: [number, number, string][] = [[45, 0, "a few seconds"], [90, 0, "a minute"], [2700, 60, "minutes"], [5400, 0, "an hour"], [79200, 3600, "hours"], [129600, 0, "a day"],
    [2246400, 86400, "days"], [3888000, 0, "a month"], [27648000, 2629800, "months"], [47304000, 0, "a year"], [Infinity, 31557600, "years"]];
  const [, size, word] = steps.find(([limit]) => s < limit)!;
  const text = size ? `${Math.max(2, Math.round(s / size))} ${word}` : word;
  return ts > now ? `in ${text}` : `${text} ago`;
}
const date = (pattern: string, today?: string): Format => (v, _d, zone) => {
  if (v === null) return blank;
  if (!(Math.abs(v) <= 8.64e15)) return { text: "Invalid date" };
  const sameDay = today && datePattern(v, "YYYYMMDD", zone) === datePattern(Date.now(), "YYYYMMDD", zone);
  return { text: datePattern(v, sameDay ? today : pattern, zone) };
};

/* ---- the table: one line a kind, "id symbol" pairs; +n or -n in front of a symbol is the power the number comes in. */
const kinds: [make: (symbol: string, offset: number) => Format, rows: string][] = [
  [suffix, "humidity %H|dB dB|pixel px|accMS2 m/sec²|accFS2 f/sec²|accG g|degree °|radian rad|grad grad|arcmin arcmin|arcsec arcsec|areaM2 m²|areaF2 ft²|areaMI2 mi²|acres ac|hectares ha|ppm ppm|conppb ppb|conngm3 ng/m³|conngNm3 ng/Nm³|conμgm3 μg/m³|conμgNm3 μg/Nm³|conmgm3 mg/m³|conmgNm3 mg/Nm³|congm3 g/m³|congNm3 g/Nm³|conmgdL mg/dL|conmmolL mmol/L|dBm dbm|flowgpm gpm|flowcms cms|flowcfs cfs|flowcfm cfm|litreh L/h|flowlpm L/min|flowmlpm mL/min|lux lux|masslb lb|masst t|lengthcm cm|lengthin in|lengthft ft|lengthmi mi|pressurehpa hPa|pressurekpa kPa|pressurehg \"Hg|rotrpm rpm|rotrads rad/s|rotdegs °/s|celsius °C|fahrenheit °F|farenheit °F|kelvin K|velocityms m/s|velocitykmh km/h|velocitymph mph|velocityknot kn|m3 m³|Nm3 Nm³|dm3 dm³|gallons gal"],
  [si, "sishort |candela cd|flops FLOPS|mflops +2FLOPS|gflops +3FLOPS|tflops +4FLOPS|pflops +5FLOPS|eflops +6FLOPS|zflops +7FLOPS|yflops +8FLOPS|decbytes B|decbits b|deckbytes +1B|decmbytes +2B|decgbytes +3B|dectbytes +4B|decpbytes +5B|pps p/s|Bps B/s|bps b/s|KBs +1B/s|Kbits +1b/s|MBs +2B/s|Mbits +2b/s|GBs +3B/s|Gbits +3b/s|TBs +4B/s|Tbits +4b/s|PBs +5B/s|Pbits +5b/s|watt W|kwatt +1W|megwatt +2W|gwatt +3W|mwatt -1W|Wm2 W/m²|voltamp VA|kvoltamp +1VA|voltampreact VAr|kvoltampreact +1VAr|watth Wh|watthperkg Wh/kg|kwatth +1Wh|kwattm +1W-Min|mwatth +2Wh|amph Ah|kamph +1Ah|mamph -1Ah|joule J|ev eV|amp A|kamp +1A|mamp -1A|volt V|kvolt +1V|mvolt -1V|mohm -1Ω|ohm Ω|kohm +1Ω|Mohm +2Ω|farad F|µfarad -2F|nfarad -3F|pfarad -4F|ffarad -5F|henry H|mhenry -1H|µhenry -2H|lumens Lm|forceNm Nm|forcekNm +1Nm|forceN N|forcekN +1N|Hs H/s|KHs +1H/s|MHs +2H/s|GHs +3H/s|THs +4H/s|PHs +5H/s|EHs +6H/s|massmg -1g|massg g|masskg +1g|lengthmm -1m|lengthm m|lengthkm +1m|pressurembar -1bar|pressurebar bar|pressurekbar +1bar|pressurepa Pa|radbq Bq|radci Ci|radgy Gy|radrad rad|radsv Sv|radmsv -1Sv|radusv -2Sv|radrem rem|radexpckg C/kg|radr R|radsvh Sv/h|radmsvh -1Sv/h|radusvh -2Sv/h|rothz Hz|rotkhz +1Hz|rotmhz +2Hz|rotghz +3Hz|hertz Hz|mlitre -1L|litre L"],
  [binary, "bytes B|bits b|kbytes +1B|mbytes +2B|gbytes +3B|tbytes +4B|pbytes +5B|binBps B/s|binbps b/s|KiBs +1B/s|Kibits +1b/s|MiBs +2B/s|Mibits +2b/s|GiBs +3B/s|Gibits +3b/s|TiBs +4B/s|Tibits +4b/s|PiBs +5B/s|Pibits +5b/s"],
  [count, "cps c/s|ops ops/s|reqps req/s|rps rd/s|wps wr/s|iops io/s|eps evt/s|mps msg/s|recps rec/s|rowsps rows/s|cpm c/m|opm ops/m|reqpm req/m|rpm rd/m|wpm wr/m|epm evts/m|mpm msgs/m|recpm rec/m|rowspm rows/m"],
  [(s) => money(s), "currencyUSD $|currencyGBP £|currencyEUR €|currencyJPY ¥|currencyRUB ₽|currencyUAH ₴|currencyBRL R$|currencyCZK czk|currencyCHF CHF|currencyPLN PLN|currencyBTC ฿|currencymBTC mBTC|currencyμBTC μBTC|currencyZAR R|currencyINR ₹|currencyKRW ₩|currencyIDR Rp|currencyPHP PHP|currencyMYR RM|currencyXPF XPF|currencyBGN BGN|currencyPYG ₲|currencyUYU UYU|currencyILS ₪"],
  [(s) => money(s, true), "currencyDKK kr|currencyISK kr|currencyNOK kr|currencySEK kr|currencyVND đ|currencyTRY ₺"],
];

const special: Record<string, Format> = {
  none: suffix(""),
  string: (v) => ({ text: String(v) }),
  short: scaled(1000, ["", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"]),
  percent: percent(1),
  percentunit: percent(100),
  hex0x: (v, d) => (v === null ? blank : { text: hex(v, d).replace(/^(-?)/, "$10x") }),
  hex: (v, d) => (v === null ? blank : { text: hex(v, d) }),
  sci: (v, d) => (v === null ? blank : { text: v.toExponential(d ?? undefined) }),
  locale: (v, d) => (v === null ? blank : { text: v.toLocaleString(undefined, { maximumFractionDigits: d ?? undefined }) }),
  pressurepsi: scaled(1000, ["psi", "ksi", "Mpsi"]),
  ns: ladder([[1e3, 1, " ns"], [1e6, 1e3, " µs"], [1e9, 1e6, " ms"], [6e10, 1e9, " s"], [36e11, 6e10, " min"], [864e11, 36e11, " hour"], [Infinity, 864e11, " day"]]),
  "µs": ladder([[1e3, 1, " µs"], [1e6, 1e3, " ms"], [Infinity, 1e6, " s"]]),
  ms: ladder([[1e3, 1, " ms"], [6e4, 1e3, " s"], [36e5, 6e4, " min"], [864e5, 36e5, " hour"], [31536e6, 864e5, " day"], [Infinity, 31536e6, " year"]]),
  s: seconds,
  m: ladder([[60, 1, " min"], [1440, 60, " hour"], [10080, 1440, " day"], [604800, 10080, " week"], [Infinity, 525948, " year"]]),
  h: ladder([[24, 1, " hour"], [168, 24, " day"], [8760, 168, " week"], [Infinity, 8760, " year"]]),
  d: days,
  dtdurationms: (v, d) => (v === null ? blank : spelled(v, d, "milliseconds")),
  dtdurations: (v, d) => (v === null ? blank : spelled(v * 1000, d, "seconds")),
  dthms: (v) => (v === null ? blank : hms(v, false)),
  dtdhms: (v) => (v === null ? blank : hms(v, true)),
  timeticks: (v, d) => (v === null ? blank : seconds(v / 100, d)),
  clockms: (v, d) => (v === null ? blank : clock(v, d)),
  clocks: (v, d) => (v === null ? blank : clock(v * 1000, d)),
  dateTimeAsIso: date("YYYY-MM-DD HH:mm:ss"),
  dateTimeAsIsoNoDateIfToday: date("YYYY-MM-DD HH:mm:ss", "HH:mm:ss"),
  dateTimeAsUS: date("MM/DD/YYYY h:mm:ss a"),
  dateTimeAsUSNoDateIfToday: date("MM/DD/YYYY h:mm:ss a", "h:mm:ss a"),
  dateTimeAsLocal: date("MM/DD/YYYY, hh:mm:ss\u202fA"),
  dateTimeAsLocalNoDateIfToday: date("MM/DD/YYYY, hh:mm:ss\u202fA", "hh:mm:ss\u202fA"),
  dateTimeAsSystem: (v, _d, zone) => (v === null ? blank : { text: formatTime(v, zone ?? "browser") }),
  dateTimeFromNow: (v) => (v === null ? blank : { text: timeAgo(v) }),
  bool: bool("True", "False"),
  bool_yes_no: bool("Yes", "No"),
  bool_on_off: bool("On", "Off"),
};

let table: Map<string, Format> | null = null;
function known(): Map<string, Format> {
  if (table) return table;
  table = new Map(Object.entries(special));
  for (const [make, rows] of kinds)
    for (const row of rows.split("|")) {
      const [, id, offset, symbol] = /^(\S+) ([+-]\d)?(.*)$/.exec(row)!;
      table.set(id!, make(symbol!, Number(offset ?? 0)));
    }
  return table;
}
export const unitIds = (): string[] => [...known().keys()];

/* prefix:X suffix:X time:PATTERN si:mW count:X currency:$ currency:financial:$[:suffix] bool:on/off */
function custom(kind: string, rest: string): Format | null {
  switch (kind) {
    case "prefix": return prefix(rest);
    case "suffix": return suffix(rest);
    case "time": return date(rest);
    case "si": {
      const power = siSteps.findIndex((p) => p !== "" && p.normalize("NFKD") === rest.charAt(0).normalize("NFKD"));
      return power < 0 ? si(rest) : si(rest.slice(1), power - 5);
    }
    case "count": return count(rest);
    case "currency": {
      const [head, symbol, side] = rest.split(":");
      if (head !== "financial" || symbol === undefined) return money(rest);
      return symbol ? financial(symbol, side === "suffix") : suffix("");
    }
    case "bool": {
      const cut = rest.indexOf("/");
      return cut < 0 ? bool(rest, "-") : bool(rest.slice(0, cut), rest.slice(cut + 1));
    }
    default: return null;
  }
}
const financial = (symbol: string, behind: boolean): Format => (v, d) =>
  v === null ? blank : { prefix: behind ? "" : symbol, suffix: behind ? symbol : "", text: v.toLocaleString(undefined, { minimumFractionDigits: d ?? 0, maximumFractionDigits: d ?? 1 }) };

const made = new Map<string, Format>();
export function unitFormat(id: string | undefined | null): Format {
  if (!id || typeof id !== "string") return special.none!;
  const hit = known().get(id) ?? made.get(id);
  if (hit) return hit;
  const cut = id.indexOf(":");
  const f = (cut > 0 && custom(id.slice(0, cut), id.slice(cut + 1))) || suffix(id);
  made.set(id, f);
  return f;
}
export const isBinaryUnit = (id: string | undefined) => !!id && /^(bytes|bits|[kmgtp]bytes|bin[Bb]ps|[KMGTP]i(Bs|bits))$/.test(id);
export const isTimeUnit = (id: string | undefined) => !!id && /^(dateTime|time:)/.test(id);
