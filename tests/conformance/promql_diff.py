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
import time
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
                # Every sample has all buckets of its series, empty ones too: a series whose layout grows is rewritten by the
                # reference chunk by chunk, and what `changes` and the zero bucket make of that depends on its chunk sizes.
                every = dict.fromkeys(range(len(bounds) + 1) if bounds else range(-3, 5), 0.0)
                below = {} if bounds else dict.fromkeys(range(-2, 3), 0.0)
                samples.append((t, Histogram(schema, {**every, **positive}, {**below, **negative}, zero, 0.001 * (1 + k % 2), total, bounds,
                                             3 if gauge else 0)))
        out.append((base, samples))
    return out


def odd_series(rng, times):
    """What real exporters get wrong: broken buckets, floats and histograms taking turns, info labels that change, names of any
    characters, counters near the limits of their type, samples far apart."""
    out = []
    for k, bounds in enumerate((["1", "1.0", "2", "+Inf"], ["0.5", "1", "2"], ["x", "1", "", "+Inf"], ["-1", "0", "1", "Inf", "+Inf"], ["NaN", "1", "+Inf"], ["+Inf"])):
        for i, le in enumerate(bounds):
            labels = {"__name__": "odd_bucket", "le": le, "instance": "i%d" % k, "job": "api"}
            out.append(({n: v for n, v in labels.items() if v}, [(t, float(rng.randrange(0, 5) + 5 * i + n // 9 * (k != 1 or i))) for n, t in enumerate(times)]))
    for k in range(4):
        samples = []
        for n, t in enumerate(times):
            turn = (n // (7 + k)) % 3
            if turn == 0:
                samples.append((t, rng.choice([1.5, 2.0, math.nan, -3.0])))
            elif turn == 1:
                samples.append((t, Histogram(rng.choice([0, 2]), {1: 1.0 + n, 2: 2.0}, {0: 1.0}, 1.0, 0.001, 3.0 + n, (), rng.choice([0, 0, 3]))))
            elif rng.random() < 0.5:
                samples.append((t, Histogram(-53, {0: 1.0, 2: 4.0 + n}, None, 0, 0, 7.0, (0.5, 2.0, 8.0))))
            else:
                samples.append((t, STALE))
        out.append(({"__name__": "mixed", "instance": "i%d" % k, "job": "web", "kind": "k%d" % (k % 2)}, samples))
    for k in range(4):
        for version in ("v1", "v2"):
            when = [t for n, t in enumerate(times) if (n // 40) % 2 == (version == "v2")]
            labels = {"__name__": "build_info", "instance": "i%d" % k, "job": "api", "version": version, "go": "1.%d" % k}
            out.append((labels, [(t, 1.0) for t in when] + ([] if version == "v2" else [])))
    for k, value in enumerate((1e308, -1e308, 5e-324, 9007199254740993.0, 0.1)):
        labels = {"__name__": "extreme", "instance": "i%d" % k, "ünï": "ø", "with space": "a b", "quote": 'q"\\\n'}
        out.append((labels, [(t, value * (1 + n % 3)) for n, t in enumerate(times)]))
    for k in range(12):
        labels = {"__name__": "version_info", "v": ["v1.10", "v1.9", "v1.2", "10", "9", "a10b2", "a9b10", "", "é", "v1.10-rc", "Z", "_"][k], "id": str(k)}
        out.append(({n: v for n, v in labels.items() if v}, [(t, float(k)) for t in times]))
    out.append(({"__name__": "sparse", "job": "db"}, [(t, float(n)) for n, t in enumerate(times) if n % 23 == 0]))
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
    series += odd_series(rng, times(False))
    series.append(({"__name__": "utf8.metric", "häuser": "ü", "job": "api"}, [(t, float(i)) for i, t in enumerate(times(False))]))
    series.append(({"__name__": "constant", "job": "web"}, [(t, 7.0) for t in times(False)]))
    series.append(({"__name__": "few", "job": "web"}, [(start + 60000, 1.0), (start + 61000, 4.0), (start + 1500000, 2.0)]))
    return series


# -- queries -----------------------------------------------------------------------------------------------------

NAMES = ["http_requests_total", "temperature", "up", "latency_seconds_bucket", "constant", "few", "target_info", "absent_metric", "native", "native",
         "mixed", "odd_bucket", "extreme", "build_info", "version_info", "sparse"]
LABELS = ["job", "instance", "code", "zone", "le", "version", "kind", '"with space"', '"ünï"', "v"]
# Pieces that do not fit: what parsers and type checkers must refuse with the right words at the right place.
WRONG = ["1", '"text"', "up[1m]", "up", "time()", "vector(1)", "foo(up)", "rate(up)", "rate(up[1m:])", "sum()", "sum by (job)", "up offset", "up @ x", "up[0s]", "up[-1m]",
         "up[1m] offset 1m offset 2m", "up @ 1 @ 2", "-\"a\"", "up[1m][1m]", "up[1m:0s]", "{}", '{job=""}', 'up{job="a",}', 'up{,}', "up{job}", 'up{job=1}', 'up{job=="a"}',
         'up{__name__="x"}', '{"a","b"}', '{"up",job="a"}', "0x", "1e", "1_", "1.5h", "5m30", "1h1d", "08", "0b1", ".5", "5.", "inf", "nan", "'\\q'", '"\\xzz"', '"\\u12"', "`raw`",
         "sum(up) by", "sum by (job,) (up)", "sum by (1) (up)", 'sum by ("a b") (up)', "topk(up)", "topk(1, 2)", "quantile(up, up)", "count_values(1, up)", 'count_values("a b", up)',
         "up + on() group_left up", "up and group_left() up", "up + bool up", "1 < 2", "1 < bool 2", "up or 1", "1 and 1", "up == ignoring(x) bool up", "up + on(job) ignoring(x) up",
         "up + on(job) group_left(job) up", "up fill(1) + up", "up + fill(up) up", "up and fill(1) up", "label_replace(up)", 'label_replace(up, "a", "b")', 'label_replace(up, 1, "b", "c", "d")',
         'label_join(up, "a")', "round(up, 1, 2)", "histogram_quantile(up, 1)", "absent(1)", "scalar(1)", "vector(up)", "sort_by_label(up, 1)", "sort_by_label(up)", "info(up, up)",
         'info(up, {a="b"} offset 1m)', 'info(up, foo{a="b"})', "time(1)", "minute(1)", "clamp(up, 1)", "predict_linear(up, 1)", "up[step()]", "up[5m+]", "up[(5m]", "up[1m*0]", "up[1m/0]",
         "up offset (1m+2m)", "up offset 1m+2m", "up offset -(1m)", "up[min_of(1m, 2m)]", "up[max_of(1m, step())]", "up[range()]", "up offset step()", "up[1m:step()]", "up[5m:1m+1m]",
         "up anchored", "up smoothed", "up[1m] smoothed anchored", "rate(up[1m] anchored smoothed)", "min_over_time(up[5m] smoothed)", "native[5m] anchored", "up[5m:] smoothed", "(up)[5m] anchored",
         "((((up))))", "+-+1", "!up", "up => up", "up = up", "up !~ up", "up ~ up", "up $ up", "up # comment", "up\n+\n#x\nup", "on", "bool", "offset", "sum", "by", "start", "start()", "group_left",
         "up{job=~\"(\"}", "up{job=~\"a{1001}\"}", "up{job!~\"\"}", "1 + + 1", "1 ** 2", "2 ^ 3 ^ 2", "-2 ^ 2", "- up ^ 2", "1 atan2 2", "5 % 0", "0 / 0", "up atan2 up", "end() - start()"]
TOKENS = ["(", ")", "[", "]", "{", "}", ",", "+", "-", "*", "/", "^", "==", "=~", "=", "!", "by", "on", "ignoring", "offset", "@", "5m", "1", '"x"', "up", "bool", ":", "sum", "rate", "without",
          "group_left", "and", "smoothed", "anchored", "fill", "inf", "$", "#", "'", "start()", "step()", ".5", "é"]


class Generator:
    def __init__(self, rng, start, minutes):
        self.rng, self.start, self.minutes = rng, start, minutes

    def pick(self, *items):
        return self.rng.choice(items)

    def duration(self):
        return self.pick("15s", "30s", "1m", "2m", "5m", "90s", "10m", "7m3s", "20m")

    def number(self):
        return self.pick("0", "1", "2", "-1", "0.5", "0.9", "3", "1e3", "NaN", "Inf", "-Inf", "0x1f", "1_000", "100", "5m")

    def span(self):
        """A duration, sometimes as an expression."""
        if self.rng.random() < 0.85:
            return self.duration()
        a, b = self.duration(), self.duration()
        return self.pick("%s + %s" % (a, b), "%s * 2" % a, "2 * %s" % a, "(%s)" % a, "%s - 10s" % a, "min_of(%s, %s)" % (a, b), "max_of(%s, %s)" % (a, b), "step() + %s" % a,
                         "range() + %s" % a, "max_of(step(), %s)" % a, "%s / 2" % a, "%s %% 40s + 1s" % a, "300", "1e2", "0x3c", "-%s + 1h" % a, "step() * 3 + 1s", "2 ^ 6")

    def matchers(self):
        r = self.rng
        parts = []
        for _ in range(r.choice([0, 0, 0, 1, 1, 2])):
            parts.append(
                self.pick(
                    'job="api"', 'job!="api"', 'job=~"a.*|web"', 'job!~"d.+"', 'instance="i1"', 'instance=~"i[0-2]"',
                    'code="200"', 'code=~"4..|5.."', 'zone=""', 'zone!=""', 'le="1"', 'le=~"1|\\\\+Inf"', 'kind="k1"', 'job=~".*"', 'job=~""', 'nope!="x"', 'instance=~"I1"',
                    'instance=~"(?i)I1"', "job='web'", "job=`db`", '"with space"="a b"', '"ünï"!=""', 'version=~"v[12]"', 'instance!~"i0|i1"', 'job=~"api|"', 'job=~"^(api|db)$"',
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
            " @ %.3f offset %s" % (at, self.duration()), " offset (%s)" % self.span(), " offset %s @ end()" % self.duration(), " offset step()", " offset -step()",
            " offset 0s", " @ -1", " @ %de0" % at, " offset (step() + %s)" % self.duration(),
        )

    def selector(self, name=None):
        if not name and self.rng.random() < 0.05:
            return '{__name__=~"up|constant|temperature"%s}' % self.pick("", ',job="web"')
        if not name and self.rng.random() < 0.03:
            return self.pick('{"utf8.metric", "häuser"="ü"}', '{"utf8.metric"}', '{"extreme", "with space"=~".+"}', '{"ünï"="ø"}', '{__name__="utf8.metric"}', '{"up", job="web"}')
        if not name and self.rng.random() < 0.03:
            return (name or self.rng.choice(NAMES)) + self.matchers() + self.pick(" smoothed", " anchored", " smoothed")
        return (name or self.rng.choice(NAMES)) + self.matchers()

    def range(self, depth):
        if depth > 0 and self.rng.random() < 0.2:
            step = self.pick("", "30s", "1m", "15s", "13s", "step()", "1m + 5s", "max_of(step(), 20s)", "7")
            return "%s[%s:%s]%s" % (self.paren(self.vector(depth - 1)), self.span(), step, self.timing())
        word = self.pick(*[""] * 14, " anchored", " smoothed")
        return "%s[%s]%s%s" % (self.selector(), self.span(), word, self.timing())

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
                       "count_values", "limitk", "limit_ratio", "sum", "avg")
        param = ""
        if op in ("topk", "bottomk", "limitk"):
            param = self.pick("1", "2", "3", "5", "20", "0", "-1", "scalar(up)", "NaN", "1.9", "Inf", "1e30", "scalar(count(up)) - 3", "time() % 4", "step()") + ", "
        elif op == "quantile":
            param = self.pick("0.5", "0.9", "0", "1", "-1", "2", "NaN", "scalar(up)") + ", "
        elif op == "limit_ratio":
            param = self.pick("0.5", "-0.5", "0.1", "1", "2", "-3", "0") + ", "
        elif op == "count_values":
            param = self.pick('"v"', '"job"', '"new label"', '"instance"', '"__name__"', '""', '"\\xff"') + ", "
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
            self.special(v, depth),
            self.special(v, depth),
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

    def special(self, v, depth):
        """Calls whose behaviour hangs on labels, on histograms, on the grid or on their count of arguments."""
        date = self.pick("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
        many = self.pick("native", "mixed", "latency_seconds_bucket", "odd_bucket", "rate(native[5m])", "rate(mixed[3m])", "avg by (job) (native)", v)
        return self.pick(
            date + "()", "%s(vector(%s))" % (date, self.pick("0", "-1", "951782400", "1e12", "NaN", "4102444800", "time()", "-2208988800")),
            "histogram_quantile(%s, %s)" % (self.pick("0.5", "0", "1", "-0.1", "1.1", "NaN", "scalar(temperature)"), many),
            "histogram_fraction(%s, %s, %s)" % (self.number(), self.number(), many),
            "%s(%s)" % (self.pick("histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"), many),
            "%s %s %s" % (many, self.pick("+", "-", "*", "/", "==", "!=", "</", ">/", "%", "^", "atan2", "<", "and", "or", "unless"), self.pick(many, self.number(), v)),
            "%s by (%s) (%s)" % (self.pick("sum", "avg", "min", "max", "count", "group", "stddev", "topk", "count_values", "quantile"), self.labels(), many),
            "count_values%s(\"v\", %s)" % (self.pick("", " by (job) ", " without (le) "), many),
            "-(%s)" % many, "timestamp(%s)" % self.pick(many, "up", "up offset 1m", "(up)", "-up", v), "sort_desc(%s)" % many,
            "sort_by_label(%s, %s)" % (self.pick("version_info", v), self.pick('"v"', '"v", "id"', '"nope", "v"', '"__name__", "instance"')),
            "sort_by_label_desc(%s, %s)" % (self.pick("version_info", v), self.pick('"v"', '"id", "v"')),
            'label_join(%s, "%s", "%s", %s)' % (v, self.pick("x", "job", "__name__", "a b", ""), self.pick("", "-", "é"), self.pick('"job"', '"job", "nope", "instance"', '"with space", "v"', '""')),
            'label_join(%s, "x", "-")' % v,
            'label_replace(%s, "%s", "%s", "%s", "%s")' % (v, self.pick("x", "job", "instance", "__name__", "ü", ""), self.pick("$1", "$1-$2", "${a}", "$$", "$0", "$name", "", "${1}x${9}"),
                                                         self.pick("job", "instance", "__name__", "nope", "with space"), self.pick("(.*)", "(?P<a>.)(.*)", "(a)|(w)", ".*i.*", "", "^a", "(?i)API")),
            "absent(%s)" % self.pick(v, 'nope{a="b"}', 'nope{a=~"b",c="d"}', 'nope{a="b",a="c"}', 'sum(nope{a="b"})', '{job="nope",__name__="x"}', 'up{job="nope"} > 1'),
            "absent_over_time(%s)" % self.pick('nope{a="b"}[5m]', 'up{job="nope"}[1m:15s]', 'few[1m]', 'sum(nope{a="b"})[5m:]', self.range(depth)),
            "info(%s%s)" % (self.pick("up", "http_requests_total", "rate(http_requests_total[2m])", "native", "mixed", v),
                            self.pick("", ', {version=~".+"}', ', {__name__="build_info"}', ', {__name__=~".+_info"}', ', {__name__=~".+_info", go=~".+"}', ', {region!="rapi"}', ', {nope=~".*"}',
                                      ', {version="v1"}', ', {__name__!="target_info"}', ', {__name__="up"}', ", {}", ', {job="api"}')),
            'histogram_quantiles(%s, %s, %s)' % (many, self.pick('"q"', '"le"', '"job"', '""'), self.pick("0.5", "0.5, 0.9", "0.1, 0.1", "NaN", "-1, 2", "0.999999, 1e-9")),
            "scalar(%s)" % v, "vector(scalar(%s))" % v, "time() - %s" % v, "%s / %s" % (self.scalar(1), v),
            "%s(%s, %s, %s)" % (self.pick("clamp", "clamp"), v, self.number(), self.number()),
            "sum(%s) by (%s) / on(%s) group_left sum(%s) by (%s)" % (v, self.labels(), self.labels(), v, self.labels()),
            "min_of(%s, %s)" % (self.scalar(1), self.scalar(1)), "vector(step()) + %s" % v, "resets(%s)" % self.pick("native[10m]", "mixed[10m]", self.range(depth)),
            "%s(%s)" % (self.pick("rate", "increase", "delta", "irate", "idelta", "changes", "sum_over_time", "avg_over_time", "last_over_time", "max_over_time", "count_over_time", "deriv",
                                  "stddev_over_time", "quantile_over_time", "first_over_time", "ts_of_max_over_time", "mad_over_time", "present_over_time"),
                        "%s[%s]%s" % (self.pick("mixed", "native", "extreme", "sparse"), self.span(), self.pick("", "", "", " anchored", " smoothed"))),
        )

    def mutated(self, q):
        """The query with a token put in, taken out, doubled or exchanged; or a piece that does not fit in its place."""
        tokens = re.findall(r"\w+|\s+|\"[^\"]*\"|[^\w\s]", q)
        for _ in range(self.pick(1, 1, 1, 2)):
            at = self.rng.randrange(len(tokens) + 1)
            how = self.rng.random()
            if how < 0.3:
                tokens.insert(at, self.pick(*TOKENS))
            elif how < 0.55:
                tokens[at : at + 1] = []
            elif how < 0.75:
                tokens[at : at + 1] = [self.pick(*TOKENS)]
            elif how < 0.85:
                tokens[at:at] = tokens[at : at + 2]
            else:
                tokens[at : at + 1] = [self.pick(*WRONG)]
        return "".join(tokens)

    def wrong(self):
        piece = self.pick(*WRONG)
        return self.pick(piece, piece, "sum(%s)" % piece, "rate(%s)" % piece, "abs(%s)" % piece, "(%s)" % piece, "%s + 1" % piece, "up + %s" % piece, "1 - %s" % piece, "up and %s" % piece,
                         "topk(%s, up)" % piece, "(%s)[5m:1m]" % piece, "%s offset 5m" % piece, "%s @ 5" % piece, "-%s" % piece, "vector(%s)" % piece, "%s[5m]" % piece, "sum by (job) (%s)" % piece,
                         "label_replace(%s, \"a\", \"b\", \"c\", \"d\")" % piece, "histogram_quantile(%s, %s)" % (piece, piece), "%s == bool %s" % (piece, self.pick(*WRONG)),
                         "%s %s %s" % (piece, self.pick("+", "and", "or", ">", "^", "atan2", "=~"), self.pick(*WRONG)))

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
            modifier += self.pick(" fill (0)", " fill_left (1)", " fill_right (-2)", " fill_left (1) fill_right (3)", " fill (NaN)", " fill_right (Inf) fill_left (1m)")
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
        if r < 0.06:
            return self.wrong()
        if r < 0.1:
            return self.mutated(self.vector(self.pick(1, 2)))
        if r < 0.14:
            return self.scalar(2)
        if r < 0.17:
            return self.range(1)
        if r < 0.3:
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
            status, text = r.status, r.read().decode(errors="replace")
    except urllib.error.HTTPError as e:
        status, text = e.code, e.read().decode(errors="replace")
    try:
        return status, json.loads(text)
    except ValueError:
        return status, {"error": text}


def by_labels(rows):
    return sorted(rows, key=lambda row: sorted(row["metric"].items()))


def samples_of(data):
    """What the engine counted: totals and, where they are given, the counts of each step, without times of a clock."""
    stats = data.get("stats") if isinstance(data, dict) else None
    return stats.get("samples") if stats else None


def normal(status, answer, ordered):
    data = answer.get("data") or {}
    samples = samples_of(data)
    if not isinstance(data, dict) or "resultType" not in data:  # format_query, parse_query, errors
        data = {"resultType": "text", "result": json.dumps(data)}
    result = data.get("result")
    if isinstance(result, list) and data.get("resultType") in ("vector", "matrix") and not ordered:
        result = by_labels(result)
    return {
        "status": status,
        "error": answer.get("error"),
        "errorType": answer.get("errorType"),
        "type": data.get("resultType"),
        "result": result,
        "samples": samples,
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


def unstable(url, path, params, ordered, first, other):
    """Whether the reference itself, asked again, gives other answers, or the other's: what it takes from the order of a hash
    table (sums of floating point over the result of a function, limitk over one, which of several conflicts is named)."""
    if (first["error"] or "").startswith("unexpected error: runtime error"):  # it has crashed
        return True
    answers = [normal(*ask(url, path, params), ordered) for _ in range(12)]
    return any(same(a, other) for a in answers) or not all(same(a, first) for a in answers)


def describe(a, b):
    lines = []
    for key in a:
        if a[key] != b[key]:
            x, y = a[key], b[key]
            most = 100000 if key == "samples" else 500
            if key == "result" and isinstance(x, list) and isinstance(y, list):
                if len(x) != len(y):
                    lines.append("  result: %d rows, %d rows" % (len(x), len(y)))
                for p, q in zip(x, y):
                    if p != q:
                        lines.append("  result:\n    %s\n    %s" % (json.dumps(p)[:600], json.dumps(q)[:600]))
                        break
            else:
                lines.append("  %s:\n    %s\n    %s" % (key, json.dumps(x)[:most], json.dumps(y)[:most]))
    return "\n".join(lines)


def request(rng, o, query):
    """(path, parameters, whether the order of rows is promised) of one query."""
    if rng.random() < 0.1:
        return rng.choice(["/api/v1/format_query", "/api/v1/parse_query"]), {"query": query}, True
    at = o.start + rng.randrange(-600, o.minutes * 60 + 900)
    if rng.random() < 0.5:
        path, params = "/api/v1/query", {"query": query, "time": rng.choice(["%d", "%d.5", "%d.123"]) % at}
        ordered = bool(re.match(r"(sort|topk|bottomk)", query))
    else:
        path, ordered = "/api/v1/query_range", True
        params = {"query": query, "start": str(at), "end": str(at + rng.choice([0, 60, 600, 1800, 1801, 5000])),
                  "step": rng.choice(["15", "60", "7", "61.5", "2.5", "5m", "1h", "120", "0.5" if rng.random() < 0.1 else "33"])}
    if rng.random() < 0.05:
        params["lookback_delta"] = rng.choice(["10s", "1m", "15m", "1"])
    if o.stats:
        params["stats"] = o.stats
    return path, params, ordered


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
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--stats", choices=["true", "all"], help="ask for statistics and compare the counts of samples")
    parser.add_argument("--shown", type=int, default=40)
    o = parser.parse_args()
    start = o.start * 1000
    if not o.no_write:
        data = make_data(random.Random(o.data_seed), start, o.minutes)
        for url in (o.reference, o.other):
            push(url, data)
    rng = random.Random(o.seed)
    generator = Generator(rng, start, o.minutes)
    different, varied = 0, 0
    until = time.monotonic() + o.seconds if o.seconds else math.inf
    for i in range(o.queries):
        if time.monotonic() > until:
            o.queries = i
            break
        query = generator.query()
        if rng.random() < 0.1:
            query = rng.choice(["(%s) + (%s)", "-(%s) or (%s)", "sum(%s) / count(%s)"]) % (query, query)
        path, params, ordered = request(rng, o, query)
        a, b = (normal(*ask(url, path, params), ordered) for url in (o.reference, o.other))
        if not same(a, b):
            if unstable(o.reference, path, params, ordered, a, b):
                varied += 1
                continue
            different += 1
            if different <= o.shown:
                print("%s %s\n%s" % (path, json.dumps(params, ensure_ascii=False), describe(a, b)))
    print("%d of %d queries differ; to %d more the reference gives more than one answer" % (different, o.queries, varied))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
