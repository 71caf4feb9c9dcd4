#!/usr/bin/env python3
"""Compares two servers that speak the Prometheus HTTP API on generated queries over the same data.

    promql_diff.py --write http://HOST:PORT ... [--queries N] [--seed S] http://REFERENCE http://OTHER

Both servers get the same samples by remote write 1.0 (they need --web.enable-remote-write-receiver and an
out-of-order window of an hour), then the same instant and range queries. Status, error text, result, order of sorted
results, warnings and infos must agree; numbers must agree as text, that is to the last bit. Prints every difference
and exits 1 when there is any. Standard library only.
"""
import argparse
import json
import math
import random
import re
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request

# -- remote write 1.0 --------------------------------------------------------------------------------------------


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def zigzag(n):
    return varint(n << 1 ^ n >> 63)


def double(number, v):
    return varint(number << 3 | 1) + struct.pack("<d", v)


def encode_spans(number, spans):
    return b"".join(field(number, varint(1 << 3) + zigzag(o) + varint(2 << 3) + varint(n)) for o, n in spans)


class Histogram:
    """A native histogram with float counts: schema -53 has custom bounds."""

    def __init__(self, schema, positive, negative=None, zero=0.0, threshold=0.001, total=0.0, bounds=(), hint=0):
        self.schema, self.positive, self.negative = schema, positive, negative or {}
        self.zero, self.threshold, self.sum, self.bounds, self.hint = zero, threshold, total, bounds, hint

    @staticmethod
    def spans(buckets):
        spans, counts, end = [], [], 0
        for index in sorted(buckets):
            if spans and index == end:
                spans[-1][1] += 1
            else:
                spans.append([index - end, 1])
            end = index + 1
            counts.append(buckets[index])
        return spans, counts

    def encode(self, t):
        count = self.zero + sum(self.positive.values()) + sum(self.negative.values())
        out = double(2, count) + double(3, self.sum) + varint(4 << 3) + zigzag(self.schema)
        if self.schema != -53:
            out += double(5, self.threshold) + double(7, self.zero)
            spans, counts = self.spans(self.negative)
            out += encode_spans(8, spans)
            if counts:
                out += field(10, struct.pack("<%dd" % len(counts), *counts))
        spans, counts = self.spans(self.positive)
        out += encode_spans(11, spans)
        if counts:
            out += field(13, struct.pack("<%dd" % len(counts), *counts))
        out += varint(14 << 3) + varint(self.hint) + varint(15 << 3) + varint(t)
        if self.bounds:
            out += field(16, struct.pack("<%dd" % len(self.bounds), *self.bounds))
        return out


def encode_series(labels, samples):
    body = b"".join(
        field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items())
    )
    for t, v in samples:
        if isinstance(v, Histogram):
            body += field(4, v.encode(t))
            continue
        value = struct.pack("<Q", v) if isinstance(v, int) else struct.pack("<d", v)
        body += field(2, varint(1 << 3 | 1) + value + varint(2 << 3) + varint(t))
    return field(1, body)


def snappy(data):
    out = bytearray(varint(len(data)))
    for i in range(0, len(data), 60000):
        piece = data[i : i + 60000]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


STALE = 0x7FF0000000000002


def push(url, series):
    body = snappy(b"".join(encode_series(l, s) for l, s in series))
    request = urllib.request.Request(
        url + "/api/v1/write",
        body,
        {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    urllib.request.urlopen(request, timeout=60).read()


# -- data --------------------------------------------------------------------------------------------------------


def histograms(rng, times):
    """Counters and gauges, several schemas, custom bounds, resets, and a series that changes to floats and back."""
    out = []
    for k in range(8):
        base = {"__name__": "native", "instance": "i%d" % (k % 4), "job": ["api", "web"][k // 4]}
        schema = [0, 1, 3, 0, -53, -53, 2, -1][k]
        bounds = [(0.1, 0.5, 1.0, 5.0), (0.1, 1.0, 5.0, 10.0)][k % 2] if schema == -53 else ()
        gauge = k == 6
        positive, negative, zero, total, samples = {}, {}, 0.0, 0.0, []
        for i, t in enumerate(times):
            if gauge or rng.random() < 0.02:
                positive, negative, zero, total = {}, {}, 0.0, 0.0
            for _ in range(rng.randrange(0, 4)):
                at = rng.randrange(0, len(bounds) + 1) if bounds else rng.randrange(-3, 5)
                positive[at] = positive.get(at, 0) + rng.choice([1, 1, 2, 0.5])
                total += rng.uniform(0, 9)
            if not bounds and rng.random() < 0.2:
                negative[rng.randrange(-2, 3)] = negative.get(0, 0) + 1
                zero += rng.choice([0, 1])
                total -= 1
            if k == 3 and i % 50 > 40:
                samples.append((t, float(i)))
            elif k == 7 and rng.random() < 0.05:
                samples.append((t, STALE))
            else:
                samples.append((t, Histogram(schema, dict(positive), dict(negative), zero, 0.001 * (1 + k % 2), total, bounds,
                                             3 if gauge else 0)))
        out.append((base, samples))
    return out


def make_data(rng, start, minutes):
    """Counters with resets, gauges with odd values, gaps and staleness, buckets, info series, names in UTF-8."""
    series = []
    jobs = ["api", "web", "db"]
    step = 15000
    count = minutes * 60000 // step

    def times(jitter):
        return [start + i * step + (rng.randrange(-400, 400) if jitter else 0) for i in range(count)]

    for job in jobs:
        for instance in range(4):
            base = {"job": job, "instance": "i%d" % instance}
            for code in ("200", "404", "500"):
                value, samples = rng.uniform(0, 1000), []
                for t in times(instance % 2):
                    value += rng.choice([0, 1, 2.5, rng.uniform(0, 30)])
                    if rng.random() < 0.01:
                        value = rng.uniform(0, 3)
                    if not (instance == 3 and (t // 300000) % 3 == 1):
                        samples.append((t, value))
                    elif samples and rng.random() < 0.1:
                        samples.append((t, STALE))
                series.append((dict(base, __name__="http_requests_total", code=code), samples))
            walk, samples = rng.uniform(-50, 50), []
            for t in times(job == "db"):
                walk += rng.gauss(0, 5)
                odd = rng.random()
                v = walk if odd > 0.03 else rng.choice([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e300, 5e-324])
                if job != "db" or rng.random() > 0.2:
                    samples.append((t, v))
            series.append((dict(base, __name__="temperature", zone="z%d" % (instance % 2)), samples))
            series.append(
                (dict(base, __name__="up"), [(t, float(rng.random() > 0.1)) for t in times(False)])
            )
            cumulative = [0.0] * 6
            bounds = ["0.1", "0.5", "1", "5", "10", "+Inf"]
            buckets = [[] for _ in bounds]
            for t in times(False):
                for _ in range(rng.randrange(0, 6)):
                    at = rng.randrange(0, 6)
                    for k in range(at, 6):
                        cumulative[k] += 1
                for k in range(6):
                    buckets[k].append((t, cumulative[k]))
            for le, samples in zip(bounds, buckets):
                series.append((dict(base, __name__="latency_seconds_bucket", le=le), samples))
            info = dict(base, __name__="target_info", version="v%d" % (instance % 3), region="r" + job)
            series.append((info, [(t, 1.0) for t in times(False)]))
    series += histograms(rng, times(False))
    series.append(({"__name__": "utf8.metric", "häuser": "ü", "job": "api"}, [(t, float(i)) for i, t in enumerate(times(False))]))
    series.append(({"__name__": "constant", "job": "web"}, [(t, 7.0) for t in times(False)]))
    series.append(({"__name__": "few", "job": "web"}, [(start + 60000, 1.0), (start + 61000, 4.0), (start + 1500000, 2.0)]))
    return series


# -- queries -----------------------------------------------------------------------------------------------------

NAMES = ["http_requests_total", "temperature", "up", "latency_seconds_bucket", "constant", "few", "target_info", "absent_metric", "native", "native"]
LABELS = ["job", "instance", "code", "zone", "le", "version"]


class Generator:
    def __init__(self, rng, start, minutes):
        self.rng, self.start, self.minutes = rng, start, minutes

    def pick(self, *items):
        return self.rng.choice(items)

    def duration(self):
        return self.pick("15s", "30s", "1m", "2m", "5m", "90s", "10m", "7m3s", "20m")

    def number(self):
        return self.pick("0", "1", "2", "-1", "0.5", "0.9", "3", "1e3", "NaN", "Inf", "-Inf", "0x1f", "1_000", "100", "5m")

    def matchers(self):
        r = self.rng
        parts = []
        for _ in range(r.choice([0, 0, 0, 1, 1, 2])):
            parts.append(
                self.pick(
                    'job="api"', 'job!="api"', 'job=~"a.*|web"', 'job!~"d.+"', 'instance="i1"', 'instance=~"i[0-2]"',
                    'code="200"', 'code=~"4..|5.."', 'zone=""', 'zone!=""', 'le="1"', 'le=~"1|\\\\+Inf"',
                )
            )
        return "{%s}" % ",".join(parts) if parts else ""

    def timing(self):
        r = self.rng.random()
        if r < 0.75:
            return ""
        at = self.start / 1000 + self.rng.randrange(0, self.minutes * 60)
        return self.pick(
            " offset " + self.duration(), " offset -" + self.duration(), " @ %d" % at, " @ start()", " @ end()",
            " @ %.3f offset %s" % (at, self.duration()),
        )

    def selector(self, name=None):
        if not name and self.rng.random() < 0.05:
            return '{__name__=~"up|constant|temperature"%s}' % self.pick("", ',job="web"')
        if not name and self.rng.random() < 0.03:
            return '{"utf8.metric", "häuser"="ü"}'
        return (name or self.rng.choice(NAMES)) + self.matchers()

    def range(self, depth):
        if depth > 0 and self.rng.random() < 0.2:
            step = self.pick("", "30s", "1m", "15s", "13s")
            return "%s[%s:%s]%s" % (self.paren(self.vector(depth - 1)), self.duration(), step, self.timing())
        word = self.pick(*[""] * 14, " anchored", " smoothed")
        return "%s[%s]%s%s" % (self.selector(), self.pick(self.duration(), "1m+30s", "2*1m"), word, self.timing())

    def paren(self, e):
        return "(%s)" % e

    def scalar(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.6:
            return self.number()
        if r < 0.7:
            return "scalar(%s)" % self.vector(depth - 1)
        if r < 0.8:
            return self.pick("time()", "pi()", "start()", "end()", "step()", "range()")
        if r < 0.9:
            return "%s %s %s" % (self.scalar(depth - 1), self.pick(*"+-*/%^"), self.scalar(depth - 1))
        return "%s(%s, %s)" % (self.pick("max_of", "min_of"), self.scalar(depth - 1), self.scalar(depth - 1))

    def labels(self):
        n = self.rng.choice([0, 1, 1, 2, 2, 3])
        return ", ".join(self.rng.sample(LABELS + ["__name__"], n))

    def aggregate(self, depth):
        op = self.pick("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile",
                       "count_values", "limitk", "limit_ratio")
        param = ""
        if op in ("topk", "bottomk", "limitk"):
            param = self.pick("1", "2", "3", "5", "20", "0", "-1", "scalar(up)", "NaN") + ", "
        elif op == "quantile":
            param = self.pick("0.5", "0.9", "0", "1", "-1", "2", "NaN", "scalar(up)") + ", "
        elif op == "limit_ratio":
            param = self.pick("0.5", "-0.5", "0.1", "1", "2", "-3", "0") + ", "
        elif op == "count_values":
            param = self.pick('"v"', '"job"', '"new label"') + ", "
        by = self.pick("", " by (%s) " % self.labels(), " without (%s) " % self.labels())
        body = "(%s%s)" % (param, self.vector(depth - 1))
        return op + (by + body if self.rng.random() < 0.5 else body + by)

    def over_range(self, depth):
        fn = self.pick("rate", "rate", "rate", "increase", "delta", "irate", "idelta", "deriv", "resets", "changes",
                       "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "count_over_time",
                       "stddev_over_time", "stdvar_over_time", "last_over_time", "first_over_time", "present_over_time",
                       "absent_over_time", "mad_over_time", "ts_of_first_over_time", "ts_of_last_over_time",
                       "ts_of_min_over_time", "ts_of_max_over_time", "quantile_over_time", "predict_linear",
                       "double_exponential_smoothing")
        if fn == "quantile_over_time":
            return "%s(%s, %s)" % (fn, self.scalar(1), self.range(depth))
        if fn == "predict_linear":
            return "%s(%s, %s)" % (fn, self.range(depth), self.scalar(1))
        if fn == "double_exponential_smoothing":
            return "%s(%s, %s, %s)" % (fn, self.range(depth), self.pick("0.1", "0.5", "1.5"), self.pick("0.3", "0.9", "0"))
        return "%s(%s)" % (fn, self.range(depth))

    def call(self, depth):
        v = self.vector(depth - 1)
        return self.pick(
            "%s(%s)" % (self.pick("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "deg", "rad", "sin",
                                  "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
                                  "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month",
                                  "year", "timestamp", "absent", "sort", "sort_desc"), v),
            "round(%s%s)" % (v, self.pick("", ", 5", ", 0.1", ", " + self.scalar(1))),
            "clamp(%s, %s, %s)" % (v, self.scalar(0), self.scalar(0)),
            "clamp_min(%s, %s)" % (v, self.scalar(1)),
            "clamp_max(%s, %s)" % (v, self.scalar(1)),
            'label_replace(%s, "%s", "%s", "%s", "%s")' % (v, self.pick("new", "job", "__name__", "bad-name"),
                                                         self.pick("$1", "x-$1", "", "${1}b"), self.pick("job", "instance", "nope"),
                                                         self.pick("(.*)", "a(.*)", "(.+)i", "w.*", "(")),
            'label_join(%s, "joined", "-", "job", "instance")' % v,
            'sort_by_label(%s, "%s")' % (v, self.pick("instance", "job", "code")),
            'sort_by_label_desc(%s, "instance", "job")' % v,
            "vector(%s)" % self.scalar(depth - 1),
            "histogram_quantile(%s, %s)" % (self.pick("0.5", "0.99", "0.1", "2", "-1", "NaN"),
                                            self.pick("latency_seconds_bucket", "rate(latency_seconds_bucket[5m])",
                                                      "sum by (le, job) (rate(latency_seconds_bucket[2m]))", v)),
            "histogram_fraction(%s, %s, %s)" % (self.pick("0", "0.2", "-Inf"), self.pick("1", "3", "+Inf"),
                                                self.pick("latency_seconds_bucket", "rate(latency_seconds_bucket[5m])")),
            "%s(%s)" % (self.pick("histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"),
                        self.pick(v, "native", "rate(native[5m])", "sum(native)", "increase(native[2m])")),
            "histogram_quantile(%s, %s)" % (self.pick("0.5", "0.99", "0.1", "scalar(up)"),
                                            self.pick("native", "rate(native[5m])", "sum by (job) (rate(native[2m]))")),
            "histogram_fraction(%s, %s, %s)" % (self.pick("0", "0.2", "-Inf", "-2"), self.pick("1", "3", "+Inf"),
                                                self.pick("native", "avg(native)", "rate(native[5m])")),
            'histogram_quantiles(%s, "q", 0.5, 0.9, %s)' % (self.pick("native", "latency_seconds_bucket", v), self.pick("0.1", "1", "2")),
            "info(%s%s)" % (v, self.pick("", ', {version=~".+"}', ', {region="rapi"}', ', {__name__="target_info"}')),
        )

    def binary(self, depth):
        op = self.pick("+", "-", "*", "/", "%", "^", "</", ">/", "atan2", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless")
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        if op not in ("and", "or", "unless") and self.rng.random() < 0.3:
            if self.rng.random() < 0.5:
                left = self.scalar(1)
            else:
                right = self.scalar(1)
        if self.rng.random() < 0.3:
            right = left if self.rng.random() < 0.5 else "(%s)" % left
        modifier = ""
        if op in ("==", "!=", "<", "<=", ">", ">=") and self.rng.random() < 0.4:
            modifier = " bool"
        if self.rng.random() < 0.5:
            modifier += self.pick(" on (%s)", " ignoring (%s)") % self.labels()
            if op not in ("and", "or", "unless") and self.rng.random() < 0.5:
                modifier += self.pick(" group_left", " group_right") + self.pick("", " (%s)" % self.labels(), " ()")
        if op not in ("and", "or", "unless") and self.rng.random() < 0.15:
            modifier += self.pick(" fill (0)", " fill_left (1)", " fill_right (-2)", " fill_left (1) fill_right (3)")
        return "%s %s%s %s" % (left, op, modifier, right)

    def vector(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.12:
            return self.selector() + self.timing()
        if r < 0.42:
            return self.over_range(depth)
        if r < 0.65:
            return self.aggregate(depth)
        if r < 0.8:
            return self.call(depth)
        if r < 0.95:
            return self.paren(self.binary(depth))
        return "-" + self.paren(self.vector(depth - 1))

    def query(self):
        r = self.rng.random()
        if r < 0.04:
            return self.scalar(2)
        if r < 0.07:
            return self.range(1)
        if r < 0.2:
            return self.binary(2)
        q = self.vector(self.rng.choice([1, 1, 2, 2, 3]))
        if self.rng.random() < 0.03:  # a broken one
            at = self.rng.randrange(len(q))
            q = q[:at] + self.pick("", "(", ")", "}", "$", "by", "[") + q[at + 1 :]
        return q


# -- comparing ---------------------------------------------------------------------------------------------------


def ask(url, path, params):
    data = urllib.parse.urlencode(params).encode()
    try:
        with urllib.request.urlopen(url + path, data, timeout=60) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        text = e.read().decode(errors="replace")
        try:
            return e.code, json.loads(text)
        except ValueError:
            return e.code, {"text": text}


def by_labels(rows):
    return sorted(rows, key=lambda row: sorted(row["metric"].items()))


def normal(status, answer, ordered):
    data = answer.get("data") or {}
    result = data.get("result")
    if isinstance(result, list) and data.get("resultType") in ("vector", "matrix") and not ordered:
        result = by_labels(result)
    return {
        "status": status,
        "error": answer.get("error"),
        "errorType": answer.get("errorType"),
        "type": data.get("resultType"),
        "result": result,
        "warnings": sorted(answer.get("warnings") or []),
        "infos": sorted(answer.get("infos") or []),
    }


# Errors that name one of several candidates: which one is reported depends on the order of a hash table.
UNORDERED_ERRORS = re.compile(r"found duplicate series for the (match group|info metric)|conflicting label")
OMITTED = re.compile(r"more (warning|info) annotations omitted")


def same(a, b):
    if a == b:
        return True
    if a["error"] and b["error"] and a["status"] == b["status"]:
        return bool(UNORDERED_ERRORS.search(a["error"]) and UNORDERED_ERRORS.search(b["error"]))
    for kind in ("warnings", "infos"):  # beyond ten, the original shows any ten
        if any(OMITTED.search(x) for x in a[kind]) and len(a[kind]) == len(b[kind]):
            a, b = dict(a, **{kind: []}), dict(b, **{kind: []})
    return a == b


def describe(a, b):
    lines = []
    for key in a:
        if a[key] != b[key]:
            x, y = a[key], b[key]
            if key == "result" and isinstance(x, list) and isinstance(y, list):
                if len(x) != len(y):
                    lines.append("  result: %d rows, %d rows" % (len(x), len(y)))
                for p, q in zip(x, y):
                    if p != q:
                        lines.append("  result:\n    %s\n    %s" % (json.dumps(p)[:600], json.dumps(q)[:600]))
                        break
            else:
                lines.append("  %s:\n    %s\n    %s" % (key, json.dumps(x)[:500], json.dumps(y)[:500]))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference")
    parser.add_argument("other")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--start", type=int, required=True, help="first sample, Unix seconds")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--no-write", action="store_true", help="the data is there already")
    parser.add_argument("--shown", type=int, default=40)
    o = parser.parse_args()
    start = o.start * 1000
    if not o.no_write:
        data = make_data(random.Random(o.data_seed), start, o.minutes)
        for url in (o.reference, o.other):
            push(url, data)
    rng = random.Random(o.seed)
    generator = Generator(rng, start, o.minutes)
    different = 0
    for i in range(o.queries):
        query = generator.query()
        if rng.random() < 0.1:
            query = rng.choice(["(%s) + (%s)", "-(%s) or (%s)", "sum(%s) / count(%s)"]) % (query, query)
        at = o.start + rng.randrange(0, o.minutes * 60)
        if rng.random() < 0.5:
            path, params = "/api/v1/query", {"query": query, "time": str(at)}
            ordered = bool(re.match(r"(sort|topk|bottomk)", query))
        else:
            end = at + rng.choice([0, 60, 600, 1800])
            path = "/api/v1/query_range"
            params = {"query": query, "start": str(at), "end": str(end), "step": rng.choice(["15", "60", "7", "61.5", "2.5"])}
            ordered = True
        a, b = (normal(*ask(url, path, params), ordered) for url in (o.reference, o.other))
        if not same(a, b):
            different += 1
            if different <= o.shown:
                print("%s %s\n%s" % (path, json.dumps(params, ensure_ascii=False), describe(a, b)))
    print("%d of %d queries differ" % (different, o.queries))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
