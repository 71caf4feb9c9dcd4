#!/usr/bin/env python3
"""Lets a real Prometheus and Cairn scrape the same random targets and compares what they store and report.

    scrape_diff.py PROMETHEUS [--cairn PROGRAM] [--rounds N] [--scrapes N] [--jobs N] [--seed S]

A round is one configuration of many jobs with random options (pair.py) and a server that answers the k-th scrape of a target with the
same body for both: text, OpenMetrics and protobuf, with new and vanishing series, timestamps, exemplars, native histograms, and what
exporters get wrong: syntax, content types, sizes, encodings, statuses. Compared by number of the scrape are all samples with their
staleness markers, `up` and the other series a scrape makes, the errors that the targets page shows, the exemplars, the metadata and the
headers of the requests. What is known to differ, and why, is a row of KNOWN; the exit status is 1 when anything else does. Standard
library only.
"""
import argparse
import collections
import gzip
import http.client
import http.server
import json
import random
import re
import sys
import threading
import time
import urllib.parse
import urllib.request

from pair import PROGRAM, Pair
from promql_diff import double, field, varint, zigzag
from wire import Native, fields, integer, read_all

TEXT, OM, PROTO = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0; charset=utf-8", \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
KINDS = ("counter", "gauge", "untyped", "histogram", "summary")
DEFAULT_KIND = {TEXT: "untyped", OM: "unknown"}

COUNTS = ("scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added")
PARSER = ("metric name not set", "metric name already", "Content-Type",
          "while parsing", "in line ", "line ", "malformed protobuf", "data does not end with # EOF", "Failed writing received data", "content unencoding", "unexpected data after # EOF", "unsupported character in float", "invalid metric type", "is not unique",
          "found on metric", "spans ", "histogram", "observations")
KNOWN = [
    ("series added with timestamps", "which of the refused samples began a series is seen before the others of the scrape there, after them here", lambda a, b: False),
    ("the limit first", "a body beyond body_size_limit is told before its status", lambda a, b: b[1] == "body size limit exceeded"),
    ("timestamps begin", "a series that has timestamps of its own from now on is marked stale once there", lambda a, b: False),
    ("too early to be wrong", "a histogram that is wrong and too old is left out there, and fails the scrape here", lambda a, b: a[0] == "up" and "observations found" in b[1]),
    ("counts of failed scrapes", "what a scrape that fails had read until then is counted to the sample or to the one behind", lambda a, b: False),
    ("markers of nothing", "series of a scrape that failed halfway are marked stale there though nothing of them was stored", lambda a, b: False),
    ("another reason phrase", "the words behind a status are those of the standard here, those of the server there", lambda a, b: a[1].rstrip() == b[1]),
    ("words of parsers", "what is wrong with a body is said in other words, with the line", lambda a, b: a[0] == b[0] == "down" and any(t in b[1] for t in PARSER)),
]


# -- bodies ------------------------------------------------------------------------------------------------------


class Sample:
    """One line of text, or a part of a protobuf metric."""

    def __init__(self, name, labels, value, ts=None, exemplar=None):
        self.name, self.labels, self.value, self.ts, self.exemplar = name, labels, value, ts, exemplar


class Family:
    def __init__(self, name, kind, samples, text="", unit="", native=None):
        self.name, self.kind, self.samples, self.text, self.unit, self.native = name, kind, samples, text, unit, native


def quoted(v):
    return '"' + v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def number(v):
    return {float("inf"): "+Inf", -float("inf"): "-Inf"}.get(v, "NaN" if v != v else repr(v))


def line(s, om, rng):
    plain = re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", s.name)
    labels = [(k if re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", k) else quoted(k)) + "=" + quoted(v) for k, v in s.labels]
    inner = ",".join(([] if plain else [quoted(s.name)]) + labels)
    out = (s.name if plain else "") + ("{" + inner + ("," if rng.random() < 0.05 and inner else "") + "}" if inner else "") + " " + number(s.value)
    if s.ts is not None:
        out += " " + ("%.3f" % (s.ts / 1000) if om else "%d" % s.ts)
    if s.exemplar and om:
        labels, value, ts = s.exemplar
        out += " # {" + ",".join(k + "=" + quoted(v) for k, v in labels) + "} " + number(value) + (" %.3f" % (ts / 1000) if ts else "")
    return out


def render(families, kind, rng, odd):
    if kind == PROTO:
        return b"".join(varint(len(m)) + m for m in (proto_family(f) for f in families if f.samples or f.native))
    om, lines = kind == OM, []
    for f in families:
        typ = {"untyped": "unknown"}.get(f.kind, f.kind) if om else f.kind
        name = f.name if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", f.name) else quoted(f.name)
        if f.text:
            lines.append("# HELP %s %s" % (name, f.text.replace("\\", "\\\\").replace("\n", "\\n")))
        if f.kind:
            lines.append("# TYPE %s %s" % (name, typ))
        if f.unit and om:
            lines.append("# UNIT %s %s" % (name, f.unit))
        lines += [line(s, om, rng) for s in f.samples]
    if odd:
        lines.insert(rng.randrange(len(lines) + 1), odd)
    return ("\n".join(lines) + ("\n# EOF\n" if om else "\n")).encode(errors="surrogateescape")


def proto_exemplar(x):
    labels, value, ts = x
    return b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels) + double(2, value) + \
        (field(3, integer(1, ts // 1000) + integer(2, ts % 1000 * 1000000)) if ts else b"")


def proto_native(h):
    """A native histogram of wire.py in the numbering of the exposition."""
    floating = isinstance(h.count, float)
    out = (double(4, h.count) if floating else integer(1, h.count)) + double(2, h.sum) + varint(5 << 3) + zigzag(h.schema) + double(6, h.threshold)
    out += double(8, h.zero) if floating else integer(7, h.zero)
    for spans, values, first in ((h.negative_spans, h.negative, 9), (h.spans, h.positive, 12)):
        out += b"".join(field(first, varint(8) + zigzag(o) + integer(2, n)) for o, n in spans)
        out += b"".join(double(first + 2, v) if floating else varint(first + 1 << 3) + zigzag(v) for v in values)
    return out


def proto_family(f):
    """Classic histograms and summaries are put together again out of their lines."""
    out = field(1, f.name.encode()) + (field(2, f.text.encode()) if f.text else b"") + (field(5, f.unit.encode()) if f.unit else b"")
    kind = {"counter": 0, "gauge": 1, "summary": 2, "histogram": 4}.get(f.kind, 3)
    out += integer(3, kind) if kind else b""
    metrics = collections.OrderedDict()
    for s in f.samples:
        metrics.setdefault(tuple((k, v) for k, v in s.labels if k not in ("le", "quantile") or kind < 2 or kind == 3), []).append(s)
    for labels, samples in metrics.items():
        body, tag = b"", {0: 3, 1: 2, 2: 4, 3: 5, 4: 7}[kind]
        for s in samples:
            d = dict(s.labels)
            if kind in (0, 1, 3):
                body += double(1, s.value) + (field(2, proto_exemplar(s.exemplar)) if s.exemplar and kind == 0 else b"")
            elif s.name.endswith("_sum"):
                body += double(2, s.value)
            elif s.name.endswith("_count"):
                body += integer(1, int(s.value))
            elif "le" in d:
                body += field(3, integer(1, int(s.value)) + double(2, float(d["le"])) + (field(3, proto_exemplar(s.exemplar)) if s.exemplar else b""))
            elif "quantile" in d:
                body += field(3, double(1, float(d["quantile"])) + double(2, s.value))
        if f.native and kind == 4:
            body += proto_native(f.native)
            body += b"".join(field(16, proto_exemplar(s.exemplar)) for s in samples if s.exemplar)
        metric = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels) + field(tag, body)
        ts = samples[0].ts
        out += field(4, metric + (integer(6, ts) if ts is not None else b""))
    return out


ODD = {
    TEXT: ["", "# a comment", "#", "# HELP", "# TYPE x", "# TYPE x nonsense", "# TYPE odd counter counter", "# HELP odd_help  two  spaces \\\\ \\n \\x", "odd 1", "odd  2", "odd\t3", "odd{} 4", "odd { a = \"b\" , } 5",
           "odd{a=\"b\"}6", "odd{a=\"b\" 1", "odd{a=b} 1", "odd{a=\"b\",a=\"c\"} 1", "odd{a=\"b\",,c=\"d\"} 1", "odd{,} 1", "odd", "odd x", "odd 1 x", "odd 1 2 3", "odd 1 -5", "odd 1 1.5", "odd 0x1p3", "odd 1_000", "odd 1e3",
           "odd +1", "odd -1", "odd .5", "odd 5.", "odd Inf", "odd +Inf", "odd -inf", "odd NaN", "odd nan", "odd infinity", "odd 1e999", "{a=\"b\"} 1", "{} 1", "{\"odd q\"} 1", "{\"odd q\",a=\"b\"} 1", "{a=\"b\",\"odd q\"} 1",
           "{\"a\",\"b\"} 1", "odd{\"x y\"=\"z\"} 1", "odd{\"x\"} 1", "2odd 1", "odd-x 1", "o:dd 1", "odd{a:b=\"c\"} 1", "odd{a=\"\\x\"} 1", "odd{a=\"\\n\\\\\\\"\"} 1", "odd{a=\"unclosed} 1", "odd{a=\"\udcff\"} 1",
           "odd{\u00e9=\"x\"} 1", "\u00e9 1", "odd{__name__=\"other\"} 1", "odd{job=\"mine\",instance=\"i\"} 1", "odd{exported_job=\"x\",job=\"mine\"} 1", "odd{a=\"\"} 1", "odd 1\r", "odd 1 ", "odd\u00a01",
           "# EOF", "odd 1 # {a=\"b\"} 1", "odd{le=\"1\"} 1", "odd{quantile=\"0.50\"} 1", "#TYPE odd gauge", "# TYPE  odd  gauge", "# UNIT odd_seconds seconds", "odd{a='b'} 1", "odd{a=\"" + "v" * 300 + "\"} 1", "odd 9223372036854775807",
           "odd 1 9223372036854775807", "odd 1 9223372036854775808", "odd 1 0", "odd{l1=\"1\",l2=\"2\",l3=\"3\",l4=\"4\",l5=\"5\",l6=\"6\",l7=\"7\",l8=\"8\"} 1", "odd{a_rather_long_label_name_of_a_metric=\"x\"} 1"],
}
ODD[OM] = ODD[TEXT] + ["# TYPE odd unknown", "# TYPE odd info", "# TYPE odd stateset", "# TYPE odd gaugehistogram", "# UNIT odd seconds", "# UNIT odd_seconds ", "odd 1 1.5 # {} 1", "odd 1 # {} 1 1.5", "odd 1 # {a=\"b\"}",
                       "odd 1 # {a=\"" + "x" * 128 + "\"} 1", "odd 1 # {a=\"b\",c=\"d\"} 0.5 1e9", "odd 1 -1.5", "odd 1 1e3", "odd 1 NaN", "odd 1 Inf", "odd 1 1.0005", "odd_created 1.5", "# HELP odd",
                       "# HELP odd ", "odd 1 #", "odd 1  # {} 1", "odd 1 # {}  1", "odd{a=\"b\"} 1 1 # {a=\"b\"} 1 1 x", "# TYPE a_gauge_0 gauge", "# EOF\nodd 1"]


class Target:
    """What it answers at each scrape, made up front."""

    def __init__(self, rng, scrapes, base_ms, options):
        self.rng, self.base = rng, base_ms
        self.kind = rng.choice([TEXT, OM, PROTO])
        self.native = rng.random() < 0.7
        self.timed = rng.random() < 0.25
        self.answers = [self.answer(n, options) for n in range(scrapes)]

    def families(self, n):
        rng, out = self.rng, []
        for i in range(rng.randrange(1, 7)):
            kind = KINDS[i % len(KINDS)]
            name = rng.choice(["fam", "a_gauge", "x:y", "http_request"]) + "_%d" % i
            if rng.random() < 0.05:
                name = rng.choice(["utf.name_%d" % i, "naïve_%d" % i])
            unit = "seconds" if rng.random() < 0.2 else ""
            name += "_seconds" if unit else ""
            samples = [s for k in range(rng.randrange(1, 4)) if rng.random() < 0.85 for s in self.samples(name, kind, k, n)]
            native = self.histogram(n) if kind == "histogram" and self.native and self.kind == PROTO else None
            if self.kind == OM and kind == "counter":
                for s in samples:
                    s.name += "_total"
            out.append(Family(name, kind if rng.random() < 0.95 else "", samples, rng.choice(["", "Help of it", "two\nlines \\ \"q\""]), unit, native))
        if rng.random() < 0.1:
            out.append(rng.choice(out))
        return out

    def stamp(self, n):
        rng = self.rng
        if not self.timed or rng.random() < 0.2:
            return None
        return self.base + rng.choice([n * 1000, n * 1000, n * 1000, 0, (n - 3) * 1000, -1800000, 20 * 60000, -5 * 3600000])

    def samples(self, name, kind, k, n):
        rng = self.rng
        labels = [("k", str(k))] if k else []
        if rng.random() < 0.1:
            labels.append(rng.choice([("job", "mine"), ("instance", "x"), ("exported_job", "y"), ("zone", "z"), ("empty", ""), ("v", "a\"b\\c\nd"), ("long", "v" * 60), ("utf é", "ü")]))
        ts, exemplar = self.stamp(n), None
        if rng.random() < 0.3:
            exemplar = (rng.choice([[], [("trace_id", "%x" % rng.randrange(1 << 32))], [("a", "x" * 130)]]), float(rng.randrange(5)), rng.choice([None, self.base + n * 1000, self.base]))
        if kind == "histogram":
            total, out = 0, []
            for le in ("0.1", "1", "2.50", "+Inf"):
                total += rng.randrange(4)
                out.append(Sample(name + "_bucket", labels + [("le", le)], float(total), ts, exemplar if le == "1" else None))
            return out + [Sample(name + "_sum", labels, total * 0.7, ts), Sample(name + "_count", labels, float(total), ts)]
        if kind == "summary":
            return [Sample(name, labels + [("quantile", q)], rng.random(), ts) for q in ("0.5", "0.90", "1")] + [Sample(name + "_sum", labels, 3.0, ts), Sample(name + "_count", labels, 7.0, ts)]
        value = rng.choice([float(n), float(n), rng.random() * 10 ** rng.randrange(-9, 20), 0.0, -0.0, float("nan"), float("inf"), -1.5])
        return [Sample(name, labels, abs(value) if kind == "counter" else value, ts, exemplar)]

    def histogram(self, n):
        rng = self.rng
        floating = rng.random() < 0.3
        if rng.random() < 0.1:
            h = Native.of({0: 1, 2: 2}, {}, 0, 1.0, rng.choice([0, 3, 9, -5, -53]), 0.0, (), 0, floating)
            setattr(h, *rng.choice([("count", h.count + 1), ("spans", [[0, 1], [-1, 1]]), ("positive", h.positive[:-1]), ("zero", h.zero + 3), ("threshold", -1.0)]))
            return h
        return Native.of({i: rng.randrange(3) for i in range(-4, rng.randrange(-3, 30))}, {1: 1} if rng.random() < 0.3 else {}, rng.randrange(3), 2.5 * n, rng.choice([0, 2, 8, -4]), rng.choice([0.0, 0.01]), (), 0, floating)

    def answer(self, n, options):
        """(status, headers, body)"""
        rng, x = self.rng, self.rng.random()
        kind = self.kind if rng.random() < 0.97 else rng.choice([TEXT, OM, PROTO])
        odd = rng.choice(ODD[kind]) if kind != PROTO and rng.random() < 0.3 else None
        body, headers, status = render(self.families(n), kind, rng, odd), {"Content-Type": kind}, 200
        if x < 0.05:
            status = rng.choice([500, 404, 204, 301, 302, 599, 201, 503])
        elif x < 0.08:
            headers["Content-Type"] = rng.choice(["", "text/html", "application/json", "nonsense", "text/plain", "text/plain; charset=utf-8", "TEXT/PLAIN", "application/openmetrics-text", ";",
                                                  "application/vnd.google.protobuf", "application/vnd.google.protobuf; proto=other; encoding=delimited", "application/vnd.google.protobuf; encoding=text", "text/plain;version=2.0"])
        elif x < 0.1:
            body = rng.choice([b"", b"\n", b"# EOF\n", b"garbage", body + body, body[:-1], body[: len(body) // 2], body + b"\n", body + b"\x01"])
        elif x < 0.14:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
            if rng.random() < 0.3:
                body = rng.choice([b"not gzip", body + b"tail"])
        elif x < 0.15:
            headers["Content-Encoding"] = "identity"
        return status, headers, body


# -- what both scrape --------------------------------------------------------------------------------------------


class Site:
    """Answers by path and client; the two are told apart by the port they name."""

    def __init__(self):
        self.targets, self.counts, self.requests, self.times = {}, collections.Counter(), {}, collections.defaultdict(list)
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802, the base class's name
                who, job = site.who(self), self.path.split("/")[1]
                n = site.counts[who, job]
                site.counts[who, job] += 1
                site.times[who, job].append(time.time() * 1000)
                if job in site.targets:
                    site.requests.setdefault(job, {})[who] = sorted((k, v) for k, v in self.headers.items() if k not in ("Host", "Connection", "User-Agent", "Accept-Encoding"))
                    answers = site.targets[job].answers
                    status, headers, body = answers[min(n, len(answers) - 1)]
                else:
                    status, headers, body = 404, {}, b""
                self.send_response(status, http.client.responses.get(status))
                for k, v in headers.items():
                    if v or k != "Content-Type":
                        self.send_header(k, v)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if status not in (204, 304):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.handler = Handler
        self.clients = {}

    def who(self, request):
        return self.clients[request.server.server_port]

    def start(self):
        """A server for each of the two: so they are told apart, and the label `instance` is set by relabelling."""
        self.servers = {}
        for name in ("reference", "cairn"):
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
            self.servers[name], self.clients[server.server_port] = server, name
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop(self):
        for s in self.servers.values():
            s.shutdown()
            s.server_close()


RELABEL = [
    "{source_labels: [__name__], regex: 'fam_1.*', action: drop}", "{source_labels: [__name__], regex: '.*_[024].*', action: keep}", "{source_labels: [k], target_label: kk, replacement: 'r$1', regex: '(.*)'}",
    "{regex: 'k', action: labeldrop}", "{regex: '__name__|k|le|quantile|job|instance', action: labelkeep}", "{regex: '(k)', replacement: 'copy_$1', action: labelmap}", "{source_labels: [k], modulus: 4, target_label: shard, action: hashmod}",
    "{source_labels: [__name__], target_label: __name__, replacement: 'renamed_$1', regex: 'fam_(.*)'}", "{source_labels: [__name__], target_label: __name__, replacement: '', regex: 'fam_0'}",
    "{source_labels: [__name__], target_label: upper, action: uppercase}", "{source_labels: [k], target_label: job, regex: '2', replacement: ''}", "{target_label: __name__, replacement: 'not a legacy name', source_labels: [k], regex: '2'}",
    "{source_labels: [k], target_label: k, regex: '.*', replacement: same}"]


def job_options(rng):
    """Lines of a job."""
    out = []

    def maybe(share, text):
        if rng.random() < share:
            out.append(text)

    maybe(0.3, "honor_labels: true")
    maybe(0.3, "honor_timestamps: false")
    maybe(0.2, "track_timestamps_staleness: true")
    maybe(0.15, "sample_limit: %d" % rng.choice([1, 5, 10, 20, 40]))
    maybe(0.1, "label_limit: %d" % rng.choice([3, 4, 5]))
    maybe(0.1, "label_name_length_limit: %d" % rng.choice([8, 12, 30]))
    maybe(0.1, "label_value_length_limit: %d" % rng.choice([20, 50, 200]))
    maybe(0.1, "body_size_limit: %dB" % rng.choice([1, 300, 900, 2000]))
    maybe(0.3, "metric_relabel_configs: [%s]" % ", ".join(rng.sample(RELABEL, rng.randrange(1, 3))))
    maybe(0.5, "scrape_native_histograms: true")
    maybe(0.3, "always_scrape_classic_histograms: true")
    maybe(0.2, "native_histogram_bucket_limit: %d" % rng.choice([2, 5, 10]))
    maybe(0.2, "native_histogram_min_bucket_factor: %s" % rng.choice([1.001, 1.1, 2, 5, 70000]))
    maybe(0.3, "fallback_scrape_protocol: %s" % rng.choice(["PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusProto"]))
    maybe(0.1, "scrape_protocols: [%s]" % ", ".join(rng.sample(["PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusProto"], rng.randrange(1, 5))))
    maybe(0.2, "enable_compression: false")
    maybe(0.3, "extra_scrape_metrics: true")
    legacy = rng.random() < 0.15
    if legacy:
        out.append("metric_name_validation_scheme: legacy")
    elif rng.random() < 0.1:
        out.append("metric_name_escaping_scheme: %s" % rng.choice(["underscores", "dots", "values"]))
    return out


def configuration(rng, jobs):
    # With a window one sample that is too old for it fails the whole scrape there; here it is left out.
    config = "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nstorage: {tsdb: {out_of_order_time_window: 0s}}\nscrape_configs:\n"
    options = {}
    for i in range(jobs):
        name = "job%d" % i
        options[name] = job_options(rng)
        labels = rng.choice(["", "", "labels: {zone: z1}", "labels: {k: target, le: '7'}", "labels: {exported_job: e, v: w}"])
        config += "  - job_name: %s\n    metrics_path: /%s\n" % (name, name) + "".join("    %s\n" % o for o in options[name])
        config += "    static_configs: [{targets: ['127.0.0.1:PORT']%s}]\n    relabel_configs: [{target_label: instance, replacement: i}]\n" % (", " + labels if labels else "")
    return config, options


class ScrapePair(Pair):
    """Each of the two has its own port to scrape."""

    def __init__(self, *args, site, **more):
        super().__init__(*args, **more)
        self.site = site

    def launch(self, name):
        path = f"{self.dir}/{name}"
        with open(f"{self.dir}/prometheus.yml", encoding="utf-8") as f:
            text = f.read().replace("PORT", str(self.site.servers[name].server_port))
        with open(path + ".yml", "w", encoding="utf-8") as f:
            f.write(text)
        super().launch(name)


# -- comparing ---------------------------------------------------------------------------------------------------


class Round:
    def __init__(self, pair, site, options, o, counts, known):
        self.pair, self.site, self.options, self.o, self.counts, self.known = pair, site, options, o, counts, known
        self.names = ("reference", "cairn")
        self.errors = {n: collections.defaultdict(list) for n in self.names}

    def differs(self, text):
        self.counts["different"] += 1
        if self.counts["different"] <= self.o.shown:
            print(text[:2500] + "\n", flush=True)

    def get(self, name, path):
        with urllib.request.urlopen(self.pair.url(name) + path, timeout=30) as answer:
            return json.load(answer)["data"]

    def poll(self):
        """Notes what the targets say of their last scrape."""
        for n in self.names:
            for t in self.get(n, "/api/v1/targets")["activeTargets"]:
                m = re.match(r"(.*)T(\d+):(\d+):(\d+)(?:\.(\d+))?", t["lastScrape"])
                ms = int(m[2]) * 3600000 + int(m[3]) * 60000 + int(m[4]) * 1000 + int((m[5] or "0").ljust(3, "0")[:3])
                self.errors[n][t["scrapePool"]].append((ms, t["health"], t["lastError"].replace(str(self.site.servers[n].server_port), "PORT")))

    def numbered(self, name):
        """{job: {labels: {number of the scrape | ms: value}}}, {job: moments}"""
        stored = read_all(self.pair.url(name))
        moments = {dict(labels)["job"]: [t for t, _ in samples] for labels, samples in stored.items() if dict(labels).get("__name__") == "up"}
        out = collections.defaultdict(dict)
        for labels, samples in stored.items():
            job = self.owner(dict(labels))
            at = {t: k for k, t in enumerate(moments.get(job, ()))}
            out[job][labels] = {("scrape %d" % at[t] if t in at else t): v for t, v in samples}
        return out, moments

    @staticmethod
    def owner(labels):
        return next((labels[n] for n in ("job", "exported_job", "exported_exported_job") if re.fullmatch(r"job\d+", labels.get(n, ""))), "?")

    def compare(self):
        (a, moments_a), (b, moments_b) = (self.numbered(n) for n in self.names)
        for job in self.options:
            n = min(len(moments_a.get(job, ())), len(moments_b.get(job, ())), self.o.scrapes)
            if not all(self.served(name, job, moments[job][:n]) for name, moments in zip(self.names, (moments_a, moments_b)) if job in moments):
                self.counts["jobs with a scrape that did not come through"] += 1
                continue
            self.counts["scrapes"] += n
            fine = {"scrape %d" % k for k in range(n)}
            found = collections.defaultdict(list)
            for labels in sorted(a[job].keys() | b[job].keys()):
                if dict(labels).get("__name__") == "scrape_duration_seconds":
                    continue
                x, y = a[job].get(labels, {}), b[job].get(labels, {})
                self.counts["samples"] += len(x)
                for k in x.keys() | y.keys():
                    if (k in fine or isinstance(k, int)) and x.get(k) != y.get(k):
                        if self.marks_nothing(job, labels, k, x.get(k), y.get(k), b):
                            self.known["markers of nothing"] += 1
                            continue
                        if dict(labels)["__name__"] == "scrape_body_size_bytes" and y.get(k) == "-1.0" and x.get(k) == "0.0":
                            self.known["the limit first"] += 1
                            continue
                        if x.get(k) == "stale" and k not in y and self.timed(job, k):
                            self.known["timestamps begin"] += 1
                            continue
                        if dict(labels)["__name__"] == "scrape_series_added" and self.timed(job, k):
                            self.known["series added with timestamps"] += 1
                            continue
                        if dict(labels)["__name__"] in COUNTS and self.failed(a[job], k) and self.failed(b[job], k):
                            self.known["counts of failed scrapes"] += 1
                            continue
                        found[k].append((labels, x.get(k), y.get(k)))
            self.report(job, found)
            self.compare_errors(job, moments_a.get(job, ())[:n], moments_b.get(job, ())[:n])
            sent = self.site.requests.get(job, {})
            if len(sent) == 2 and sent["reference"] != sent["cairn"]:
                self.differs("%s: headers\n  reference %s\n  cairn     %s" % (job, [h for h in sent["reference"] if h not in sent["cairn"]], [h for h in sent["cairn"] if h not in sent["reference"]]))

    def served(self, name, job, moments):
        """The server has seen each of the scrapes, and no other between."""
        times = self.site.times[name, job]
        return all(k < len(times) and -100 < times[k] - t < 950 for k, t in enumerate(moments))

    def body(self, job, k):
        status, headers, body = self.site.targets[job].answers[k]
        return "%d %s %r" % (status, headers, body[:1500])

    def marks_nothing(self, job, labels, k, x, y, stored):
        """There is nothing before that a marker could end."""
        if x != "stale" or y is not None or not isinstance(k, str):
            return False
        before = [v for n, v in sorted((int(n.split()[1]), v) for n, v in stored[job].get(labels, {}).items() if isinstance(n, str)) if n < int(k.split()[1])]
        return not before or before[-1] == "stale"

    def timed(self, job, k):
        return isinstance(k, str) and self.site.targets[job].timed

    @staticmethod
    def failed(stored, k):
        return any(v.get(k) == "0.0" for labels, v in stored.items() if dict(labels).get("__name__") == "up")

    def report(self, job, found):
        """The first scrape of a job at which they part; what follows may follow from it."""
        for k in sorted(found, key=lambda k: int(k.split()[1]) if isinstance(k, str) else 1 << 60)[:1]:
            lines = ["    %s: reference %s, cairn %s" % (",".join("%s=%s" % l for l in labels if l[0] != "instance"), x, y) for labels, x, y in found[k][:6]]
            number = int(k.split()[1]) if isinstance(k, str) else None
            self.differs("stored: %s at %s (%d in all) %s\n%s\n  %s" % (job, k, len(found[k]), self.options[job], "\n".join(lines), self.body(job, number) if number is not None else ""))

    def compare_errors(self, job, moments_a, moments_b):
        def by_scrape(name, moments):
            out = {}
            for ms, health, error in self.errors[name][job]:
                for k, t in enumerate(moments):
                    if abs(t % 86400000 - ms) < 300:
                        out[k] = (health, error)
            return out

        a, b = by_scrape("reference", moments_a), by_scrape("cairn", moments_b)
        for k in sorted(a.keys() & b.keys()):
            self.counts["errors compared"] += 1
            if a[k] != b[k] and not self.explained(a[k], b[k]):
                self.differs("error: %s at scrape %d %s\n  reference %s\n  cairn     %s\n  %s" % (job, k, self.options[job], a[k], b[k], self.body(job, k)))

    def explained(self, a, b):
        for name, _, matches in KNOWN:
            if matches(a, b):
                self.known[name] += 1
                return True
        return False

    def side(self):
        """Exemplars by their values, and the metadata of the targets."""
        def exemplars(name):
            out = {}
            for x in self.get(name, "/api/v1/query_exemplars?" + urllib.parse.urlencode({"query": '{__name__=~".+"}', "start": 0, "end": 99999999999})):
                out[json.dumps(x["seriesLabels"], sort_keys=True)] = [(json.dumps(e["labels"], sort_keys=True), e["value"]) for e in x["exemplars"]]
            return out

        a, b = (exemplars(n) for n in self.names)
        self.counts["series with exemplars"] += len(a)
        for labels in sorted(a.keys() | b.keys()):
            if a.get(labels) != b.get(labels):
                self.differs("exemplars: %s\n  reference %s\n  cairn     %s" % (labels, a.get(labels), b.get(labels)))
        a, b = ({json.dumps([m["target"]["job"], m["metric"]]): (m["type"], m["help"], m["unit"]) for m in self.get(n, "/api/v1/targets/metadata")} for n in self.names)
        self.counts["metadata"] += len(a)
        for metric in sorted(a.keys() & b.keys()):  # how long it is kept is not compared
            if a.get(metric) != b.get(metric):
                self.differs("metadata: %s\n  reference %s\n  cairn     %s" % (metric, a.get(metric), b.get(metric)))


def one_round(o, seed, counts, known):
    rng, site = random.Random(seed), Site()
    config, options = configuration(rng, o.jobs)
    if o.only:
        options = {k: v for k, v in options.items() if k in o.only.split(",")}
    base = int(time.time()) * 1000
    site.targets = {job: Target(random.Random("%d %s" % (seed, job)), o.scrapes, base, options[job]) for job in options}
    site.start()
    pair = ScrapePair(o.prometheus, o.cairn, features="exemplar-storage", config=config.replace("{", "{{").replace("}", "}}"), site=site)
    pair.config_file = "{name}.yml"
    try:
        with pair:
            check = Round(pair, site, options, o, counts, known)
            until = time.monotonic() + o.scrapes * 3 + 20
            while time.monotonic() < until and min(site.counts[n, j] for n in check.names for j in options) < o.scrapes + 1:
                time.sleep(0.35)
                check.poll()
            check.compare()
            check.side()
    finally:
        site.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus")
    parser.add_argument("--cairn", default=PROGRAM)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scrapes", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="names of jobs, by commas")
    parser.add_argument("--shown", type=int, default=40)
    o = parser.parse_args()
    counts, known = collections.Counter(), collections.Counter()
    for i in range(o.rounds):
        one_round(o, o.seed + i, counts, known)
    for name, why, _ in KNOWN:
        print("%6d  %s: %s" % (known[name], name, why))
    print(dict(counts))
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
