#!/usr/bin/env python3
"""Sends the same random remote writes, deletes and restarts to a real Prometheus and to Cairn and compares what they answer and keep.

    write_diff.py PROMETHEUS [--cairn PROGRAM] [--seconds N] [--seed S] [--window 1h] [--hours N]

Starts both on one configuration (pair.py). Requests are 1.0 and 2.0, right and wrong: late, early, repeated and contradicting samples,
labels of all sorts, staleness markers, NaNs with payloads, native histograms that hold and that do not, exemplars, metadata, broken
bodies and headers. Compared are status, the reason of a refusal, the headers that count what was written, and every few requests all
that is stored: every sample by its bits through remote read, series, exemplars. What is known to differ, and why, is a row of KNOWN;
every difference that none of them explains is printed, and the exit status is 1 when there is one. Standard library only.
"""
import argparse
import collections
import json
import random
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

from pair import PROGRAM, Pair
from promql_diff import snappy
from wire import V1, V2, Native, Series, field, read_all, write_v1, write_v2

CONFIG = "global: {{scrape_interval: 1h, external_labels: {{}}}}\nstorage: {{tsdb: {{out_of_order_time_window: WINDOW}}}}\n"
STALE, QUIET, PAYLOAD = 0x7FF0000000000002, 0x7FF8000000000001, 0xFFF8DEADBEEF0001
WRITTEN = ["X-Prometheus-Remote-Write-%s-Written" % n for n in ("Samples", "Histograms", "Exemplars")]
MINUTE, HOUR = 60000, 3600000
REASONS = ("duplicate sample for timestamp", "out of bounds", "out of order sample", "too old sample", "out of order exemplar", "invalid metric name or labels, got ", "duplicated label ",
           "parsing ", "TimeSeries must contain at least one sample", "histogram has an invalid schema", "histogram has an unknown schema", "must not have custom bounds",
           "less than, or equal", "histogram spans specify different number", "a span whose offset is negative", "observation count is negative", "observation count should", "custom buckets",
           "negative side", "positive side")

# -- known differences -------------------------------------------------------------------------------------------

KNOWN = [
    ("several of a series", "of several samples of one series in one request those that do not fit each other are dropped there when all is "
     "done, without a word; here they are refused with 400, and what is stored is the same", lambda r, a, b: r.has("several")),
    ("late clash", "a late sample at a time that has another value is accepted there, and which of the two is answered depends on chunks; "
     "here it is refused as a duplicate", lambda r, a, b: r.has("clash")),
    ("late stale", "a staleness marker of a series whose newest value is a histogram goes behind the other samples of its request there, and is lost "
     "when it is late or not alone at its time", lambda r, a, b: False),
    ("exemplars of before", "a restart loses exemplars there that are kept here", lambda r, a, b: False),
    ("1.0 in part", "a 1.0 request with one bad sample is rolled back whole there; here what is good is stored, as with 2.0",
     lambda r, a, b: r.version == 1 and a[0] == 400 and b[0] == 400),
]


class Request:
    def __init__(self, version, series, notes=(), body=None, headers=None, metadata=(), spoil=None):
        self.version, self.series, self.notes = version, series, set(notes)
        message = write_v1(series, metadata) if version == 1 else write_v2(series, spoil)
        self.body = snappy(message) if body is None else body
        self.headers = {"Content-Encoding": "snappy", "Content-Type": V1 if version == 1 else V2}
        self.headers.update(headers or {})
        times = collections.defaultdict(list)
        for s in series:
            times[key(s.labels)] += [t for t, _, _ in s.samples]
        if any(b <= a for ts in times.values() for a, b in zip(ts, ts[1:])):
            self.notes.add("several")

    def has(self, note):
        return note in self.notes

    def send(self, url):
        """(status, text, headers that count)"""
        request = urllib.request.Request(url + "/api/v1/write", self.body, {k: v for k, v in self.headers.items() if v is not None})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(errors="replace"), [answer.headers.get(n) for n in WRITTEN]
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(errors="replace"), [e.headers.get(n) for n in WRITTEN]

    def __str__(self):
        def sample(t, v, start):
            return "%s@%d" % ({k: x for k, x in vars(v).items() if x} if isinstance(v, Native) else v, t) + ("" if not start else " since %d" % start)

        return "%d.0 %s\n    %s" % (self.version, sorted(self.notes), "\n    ".join(
            ",".join("%s=%s" % (text_of(k), text_of(v)[:20]) for k, v in s.labels[:6]) + ": " + " ".join(sample(*x) for x in s.samples) + (" # %s" % s.exemplars if s.exemplars else "") for s in self.series))


def text_of(s):
    return s.decode(errors="replace") if isinstance(s, bytes) else s


def key(labels):
    return tuple(sorted((text_of(k), text_of(v)) for k, v in labels if v))


# -- what is sent ------------------------------------------------------------------------------------------------


class Generator:
    def __init__(self, rng, start_ms, window_ms):
        self.rng, self.now, self.window = rng, start_ms, window_ms
        self.known, self.last, self.made, self.late, self.shapes = [], {}, 0, 0, {}
        self.there = set()  # what is stored, as of the last comparison

    def labels(self):
        rng = self.rng
        self.made += 1
        out = [("__name__", rng.choice(["m%d" % rng.randrange(12), "température", "a.b/c d", "h_bucket", "x:y", "_"])), ("n", str(self.made)), ("job", rng.choice(["a", "b", "c"]))]
        if rng.random() < 0.3:
            out.append((rng.choice(["zone", "le", "Ünï", "with space", "a.b", "A", "_x", "__x__", "instance"]), rng.choice(["", "v", "1", "+Inf", "a\"b\\c\nd", "日本", " ", "x" * 3000])))
        if rng.random() < 0.02:
            out += [("l%03d" % i, str(i)) for i in range(rng.choice([40, 200]))]
        if rng.random() < 0.2:
            rng.shuffle(out)
        else:
            out.sort()
        return out

    def bad_labels(self):
        rng = self.rng
        self.made += 1
        return rng.choice([
            [], [("n", "1")], [("__name__", "")], [("__name__", "bad"), ("", "x")], [("__name__", "bad"), ("a", "1"), ("a", "2")], [("__name__", "bad"), ("a", "1"), ("a", "1")],
            [("__name__", "bad"), ("a", b"\xff\xfe")], [("__name__", b"bad\xc3")], [("__name__", "bad"), (b"\xf0\x28", "x")], [("__name__", "bad"), ("a", ""), ("a", "x")],
            [("__name__", "bad"), ("__name__", "bad")], [("__name__", "bad"), ("a", ""), ("a", "")], [("__name__", "bad"), ("", "")], [("", "")],
            [("__name__", "bad"), ("a", b"\xed\xa0\x80")], [("a", "b"), ("__name__", "")]])

    def value(self):
        rng = self.rng
        return rng.choice([rng.random() * 10 ** rng.randrange(-8, 12), float(rng.randrange(100)), 0.0, -0.0, float("inf"), -float("inf"), STALE, STALE, QUIET, PAYLOAD, 5e-324, 1.7976931348623157e308,
                           float(rng.randrange(1 << 40))])

    def native(self, labels):
        """Mostly grown out of the one before."""
        rng = self.rng
        shape = self.shapes.get(key(labels))
        if not shape or rng.random() < 0.05:
            custom = rng.random() < 0.3
            shape = {"schema": -53 if custom else rng.choice([0, 3, -4, 8, 8, 12, 52]), "floating": rng.random() < 0.4, "bounds": (0.5, 1.0, 2.5) if custom else (),
                     "hint": rng.choice([0, 0, 1, 2, 3]), "buckets": {}, "negative": {}, "threshold": rng.choice([0.0, 0.001, 1.0])}
            self.shapes[key(labels)] = shape
        one = shape["bounds"] and range(4) or range(-3, 9)
        for _ in range(rng.randrange(4)):
            i = rng.choice(one)
            shape["buckets"][i] = shape["buckets"].get(i, 0) + rng.choice([1, 2, 100])
        if not shape["bounds"] and rng.random() < 0.3:
            shape["negative"][rng.randrange(4)] = rng.randrange(5)
        if rng.random() < 0.05:
            return Native(0.0 if shape["floating"] else 0, STALE, 0)
        zero = 0 if shape["bounds"] else rng.randrange(3)
        return Native.of(shape["buckets"], shape["negative"], zero, rng.choice([1.5, -3.0, float(rng.randrange(99))]), shape["schema"], shape["threshold"], shape["bounds"], shape["hint"],
                         shape["floating"])

    def bad_native(self):
        """A histogram with one thing changed; most do not hold any more."""
        rng = self.rng
        custom, floating = rng.random() < 0.4, rng.random() < 0.4
        h = Native.of({0: 2, 1: 1, 3: 4}, {} if custom else {1: 2}, 0 if custom else 1, 7.0, -53 if custom else 2, 0.01, (1.0, 2.0, 5.0) if custom else (), 0, floating)
        nan = float("nan")
        changes = [("count", h.count + 1), ("count", h.count - 1), ("count", type(h.count)(0)), ("sum", QUIET), ("spans", []), ("spans", h.spans + [[1, 1]]), ("spans", [[0, 2], [-1, 1]]),
                   ("spans", [[0, 3], [0, 0]]), ("spans", [[0, 0], [0, 2], [0, 0], [1, 1]]), ("spans", [[-5, 2], [1, 1]]), ("positive", h.positive + h.positive[:1]), ("positive", h.positive[:-1]),
                   ("positive", [-x for x in h.positive]), ("schema", 9), ("schema", 52), ("schema", 53), ("schema", -10), ("schema", -9), ("schema", -5), ("schema", -53), ("schema", -54), ("schema", 0),
                   ("bounds", [1.0, 2.0]), ("bounds", [1.0]), ("bounds", [2.0, 1.0, 5.0]), ("bounds", [1.0, 1.0, 5.0]), ("bounds", [1.0, 2.0, nan]), ("bounds", [1.0, 2.0, float("inf")]),
                   ("bounds", [-float("inf"), 2.0, 3.0]), ("bounds", []), ("zero", type(h.count)(5)), ("threshold", -1.0), ("threshold", nan), ("threshold", 1e300), ("hint", 3), ("hint", 1), ("hint", 4),
                   ("hint", 200), ("negative_spans", [[0, 1]]), ("negative", [type(h.count)(1)]), ("spans", [[(1 << 31) - 1, 2], [1, 1]]), ("spans", [[1 << 30, 2], [1 << 30, 1]]), ("sum", STALE)]
        if floating:
            changes += [("count", nan), ("count", float("inf")), ("count", -1.0), ("positive", [1.0, nan, 1.0]), ("positive", [1.0, float("inf"), 1.0]), ("positive", [1.0, -0.5, 1.0]), ("zero", nan), ("zero", 2),
                        ("zero", -1.0)]
        else:
            changes += [("zero", 2.0), ("count", 1 << 60), ("positive", [1 << 40, 0, 0]), ("positive", [1 << 50, 0, 0])]
        name, value = rng.choice(changes)
        setattr(h, name, value)
        if rng.random() < 0.15:
            h.sum = QUIET
        if name == "positive" and rng.random() < 0.5 and not floating and value:
            h.sum, h.count = QUIET, (1 << 62)
        return h, "%s=%s%s" % (name, value, " custom" if custom else "")

    def time(self):
        """When: (ms, note)."""
        rng, x = self.rng, self.rng.random()
        self.late += 1
        if x < 0.76:
            return self.now, ""
        if x < 0.9:
            return self.now - rng.randrange(1, max(self.window, HOUR) // MINUTE + 10) * MINUTE - self.late % 50000 - 1, "late"
        if x < 0.96:
            return self.now - rng.choice([HOUR, self.window]) + rng.choice([-1, 0, 1]), "edge"
        wall = int(time.time() * 1000)
        return rng.choice([wall + 11 * MINUTE, wall + 24 * HOUR, min(self.now + rng.randrange(2 * MINUTE), wall + 9 * MINUTE), 1 << 50, (1 << 63) - 1, 0, -1, -HOUR, -(1 << 63)]), "far"

    def series(self, notes, name="", at_most=3):
        rng = self.rng
        fresh = not self.known or rng.random() < max(0.03, 0.5 - len(self.known) / 300)
        labels = self.labels() if fresh or name else rng.choice(self.known)
        if name:
            labels = [("__name__", name)] + [l for l in labels if l[0] != "__name__"]
        elif fresh:
            self.known.append(labels)
        kind = zlib.crc32(labels[0][1].encode() + labels[-1][1].encode()) % 10 if rng.random() < 0.95 else rng.randrange(10)
        samples = []
        for _ in range(1 if rng.random() < 0.93 else rng.randrange(0, at_most + 1)):
            t, note = self.time()
            v = self.native(labels) if kind < 3 else self.value()
            before = self.last.get(key(labels))
            x = rng.random()
            if before and x < 0.05:
                t, v, note = before[0], before[1], "same"
            elif before and x < 0.08:
                t, v, note = before[0], self.value(), "other"
            elif x < 0.11:
                v, note = self.bad_native()
            start = rng.choice([0, 0, 0, t - 5000, t - 100000, t + 5])
            notes.add(note)
            samples.append((t, v, start if abs(t) < 1 << 60 else 0))
            if note == "" or not before:
                self.last[key(labels)] = (t, v)
        meta = (rng.randrange(0, 9), rng.choice(["", "Help", "Hëlp \"x\"\n"]), rng.choice(["", "seconds"])) if rng.random() < 0.3 else None
        exemplars = self.exemplars() if rng.random() < 0.3 and "far" not in notes and key(labels) in self.there and all(v for _, v in labels) else []
        return Series(labels, samples, exemplars, meta)

    def exemplars(self):
        rng = self.rng
        out = []
        for _ in range(rng.randrange(1, 4)):
            labels = rng.choice([[], [("trace_id", "%x" % rng.randrange(1 << 40))], [("b", "2"), ("a", "1")], [("a", "x" * 127)], [("a", "x" * 128)], [("a", "é" * 127)], [("a", ""), ("b", "c")],
                                 [("trace_id", "t"), ("span_id", "s")]])
            t = rng.choice([self.now, self.now, self.now - 1000, self.now - 90 * MINUTE, 0, self.now + 1, int(time.time() * 1000) + 20 * MINUTE])
            out.append((labels, rng.random(), t))
        return out

    def next(self):
        rng, notes = self.rng, set()
        self.now += rng.choice([0, 1, 500, 5000, 15000, 30000]) if self.now < time.time() * 1000 + 9 * MINUTE else 0
        x, version = rng.random(), rng.choice([1, 2, 2])
        if x < 0.04:
            return self.broken(version)
        if version == 1 and rng.random() < 0.4:  # what may be rolled back stands in series of its own, which are not compared, and is never the newest
            self.now -= 20 * MINUTE
            series = [self.series(notes, "mixed") for _ in range(rng.randrange(2, 6))]
            self.now += 20 * MINUTE
            return Request(1, series, notes | {"mixed"}, metadata=[("m1", rng.randrange(9), "text", "")])
        series = [self.series(notes, "", 1 if version == 1 else 3) for _ in range(1 if version == 1 else rng.randrange(1, 12))]
        for _ in range(rng.randrange(3) if rng.random() < 0.2 else 0):
            bad = self.series(set())
            series.insert(rng.randrange(len(series) + 1), Series(self.bad_labels(), bad.samples if version == 2 else [(self.now, 1.0, 0)], bad.exemplars, bad.meta))
            notes.add("labels")
        spoil = None
        if version == 2 and rng.random() < 0.03:
            notes.add("refs")
            spoil = rng.choice([lambda r: r + [1], lambda r: r[:-1], lambda r: r[:-1] + [99999], lambda r: [99999] + r[1:], lambda r: []])
        return Request(version, series, notes, spoil=spoil)

    def broken(self, version):
        rng = self.rng
        good = (write_v1 if version == 1 else write_v2)([Series([("__name__", "broken"), ("n", "1")], [(self.now, 1.0, 0)])])
        cases = [(b"", {}), (snappy(b""), {}), (good, {}), (snappy(good)[:-1], {}), (snappy(good[:-1]), {}), (snappy(good + b"\x0a"), {}), (snappy(good + b"\xff" * 12), {}), (snappy(b"\x00"), {}),
                 (snappy(good), {"Content-Type": V2 if version == 1 else V1}), (snappy(good), {"Content-Type": "text/plain"}), (snappy(good), {"Content-Type": ""}),
                 (snappy(good), {"Content-Type": "application/x-protobuf;proto=x"}), (snappy(good), {"Content-Type": "application/x-protobuf; proto=prometheus.WriteRequest"}),
                 (snappy(good), {"Content-Type": "application/x-protobuf;proto=prometheus.WriteRequest;charset=utf-8"}), (snappy(good), {"Content-Type": "Application/X-Protobuf"}),
                 (snappy(good), {"Content-Type": "application/x-protobuf;proto"}), (snappy(good), {"Content-Type": "application/x-protobuf;proto=a=b"}), (snappy(good), {"Content-Encoding": "gzip"}),
                 (snappy(good), {"Content-Encoding": ""}), (snappy(good), {"Content-Encoding": None}), (snappy(good), {"Content-Encoding": "Snappy"}), (snappy(good), {"Content-Encoding": "identity"}),
                 (snappy(field(9, b"unknown") + good), {}), (snappy(b"\x08\x01" + good), {}), (snappy(b"\x28\x01" + good), {}), (snappy(field(5, b"\x08")), {}), (snappy(field(1, b"\x12\x02\x08\x01")), {})]
        if rng.random() < 0.5:
            spoilt = bytearray(good)
            for _ in range(rng.randrange(1, 3)):
                spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
            cases = [(snappy(bytes(spoilt)), {})]
        body, headers = rng.choice(cases)
        return Request(version, [], {"broken", "%r" % headers, body.hex() if not headers else ""}, body, headers)


# -- what is compared --------------------------------------------------------------------------------------------


class Comparison:
    def __init__(self, pair, o, window_ms):
        self.pair, self.o, self.window, self.sent = pair, o, window_ms, collections.defaultdict(dict)
        self.urls = {n: pair.url(n) for n in pair.programs}
        self.counts, self.known, self.left_out, self.history = collections.Counter(), collections.Counter(), set(), collections.defaultdict(list)
        self.reported, self.there = set(), set()

    def differs(self, text):
        self.counts["different: " + re.split(r"[ :]", text)[0]] += 1
        self.counts["different"] += 1
        if self.counts["different"] <= self.o.shown:
            print(re.sub(r"x{99,}", "x...", re.sub(r"(é)\1{9,}", "é...", text))[:3000] + "\n", flush=True)

    def note_clashes(self, r):
        """Late samples at a time that the series had with another value."""
        for s in r.series:
            known = self.sent[key(s.labels)]
            for t, v, _ in s.samples:
                said = repr(vars(v)) if isinstance(v, Native) else repr(v)
                if known.setdefault(t, said) != said and t < max(known):
                    r.notes.add("clash")
                    self.left_out.add(key(s.labels))

    def request(self, r):
        if self.window:
            self.note_clashes(r)
        a, b = (r.send(self.urls[n]) for n in ("reference", "cairn"))
        self.counts["requests"] += 1
        self.counts["status %d" % a[0]] += 1
        for s in r.series:
            self.history[key(s.labels)].append((r, a, b))
        if r.version == 1 and a[0] == 400 and sum(len(s.samples) + len(s.exemplars) for s in r.series) > 1:
            self.left_out.update(key(s.labels) for s in r.series)
        explained = next((name for name, _, matches in KNOWN if matches(r, a, b)), None)
        if a[0] != b[0] or r.version == 2 and a[2] != b[2]:
            if explained:
                self.known[explained] += 1
            else:
                self.differs("%s\n  reference %s\n  cairn     %s%s" % (r, a, b, self.before(r.series[0]) if len(r.series) == 1 else ""))
        elif a[0] // 100 == 4 and not explained and (len(r.series) < 2 and not r.has("several")) and not self.same_reason(r, a[1], b[1]):
            self.differs("text: %s\n  reference %r\n  cairn     %r" % (r, a[1][:300], b[1][:300]))

    def before(self, series):
        """What was sent of the series."""
        sent = [(r.version, a[0], b[0], [(t, "native" if isinstance(v, Native) else v) for s in r.series if key(s.labels) == key(series.labels) for t, v, _ in s.samples])
                for r, a, b in self.history[key(series.labels)]]
        return "\n  sent      " + "\n            ".join(map(str, sent[-12:]))

    @staticmethod
    def same_reason(r, a, b):
        """The first reason given here is one of those given there, by the words they have in common."""
        if r.has("broken") and re.match(r"proto|snappy|s2|unexpected EOF", a):
            return True  # texts of a library
        reasons = {reason for reason in REASONS for text in a.split("\n") if reason in text}
        return a == b or any(reason in b for reason in reasons) or a.split("\n")[0].split(" for series ")[0] in b

    def stored(self):
        """Everything, by its bits."""
        self.counts["comparisons of all"] += 1
        a, b = (read_all(self.urls[n], self.o.read) for n in ("reference", "cairn"))
        self.counts["samples compared"] += sum(map(len, a.values()))
        self.there = set(map(key, a))
        for labels in sorted(a.keys() | b.keys()):
            x, y = a.get(labels), b.get(labels)
            if x == y or key(labels) in self.left_out or ("__name__", "mixed") in labels or ("__name__", "bad") in labels and x == y:
                continue
            self.left_out.add(key(labels))
            one, other = dict(x or ()), dict(y or ())
            moments = [t for t in sorted(one.keys() | other.keys()) if one.get(t) != other.get(t)][:4]
            several = {t for r, _, _ in self.history[key(labels)] if r.has("several") for s in r.series for t, _, _ in s.samples}
            if all(other.get(t) == "stale" and (one.get(t) is None or t in several) for t in moments):
                self.known["late stale"] += 1
                continue
            shown = "".join("\n  %s at %s: reference %s, cairn %s" % ("sample", t, one.get(t), other.get(t)) for t in moments)
            sent = ["\n  sent %s %s %s: %s" % (r.version, p[:1], q[:1], [(t, vars(v) if isinstance(v, Native) else v) for s in r.series if key(s.labels) == key(labels) for t, v, _ in s.samples])
                    for r, p, q in self.history[key(labels)] if any(t in moments for s in r.series for t, _, _ in s.samples)]
            self.differs("stored: %s%s%s" % (labels, shown, "".join(sent[-6:])))
        return a, b

    def get(self, path, params=()):
        out = []
        for n in ("reference", "cairn"):
            try:
                with urllib.request.urlopen(self.urls[n] + path + "?" + urllib.parse.urlencode(list(params)), timeout=60) as answer:
                    out.append(json.loads(answer.read().decode(errors="replace")).get("data"))
            except urllib.error.HTTPError as e:
                out.append([e.code, e.read().decode(errors="replace")])
        return out

    def side(self):
        """Series and exemplars."""
        for path, params in (("/api/v1/series", [("match[]", '{__name__=~".+"}')]), ("/api/v1/series", [("match[]", '{job="a"}'), ("match[]", '{job="b"}')]),
                             ("/api/v1/query_exemplars", [("query", '{__name__=~".+"}'), ("start", "0"), ("end", "99999999999")])):
            a, b = ({self.label_key(x): self.exemplars(x) for x in v} if isinstance(v, list) and all(isinstance(x, dict) for x in v) else v for v in self.get(path, params))
            for labels in sorted(a.keys() | b.keys()):
                if a.get(labels) == b.get(labels) or labels in self.left_out or ("__name__", "mixed") in labels or (path, labels) in self.reported:
                    continue
                self.reported.add((path, labels))
                if "exemplars" in path and self.o.restarts and all(x in b.get(labels, ()) for x in a.get(labels, ())):
                    self.known["exemplars of before"] += 1
                    continue
                self.differs("%s: %s\n  reference %s\n  cairn     %s\n  sent %s" % (path, labels, a.get(labels), b.get(labels),
                             [s.exemplars or s.samples for r, _, _ in self.history[labels] for s in r.series if key(s.labels) == labels and (s.exemplars or "series" in path)]))

    @staticmethod
    def label_key(x):
        return tuple(sorted((x.get("seriesLabels") or x).items()))

    @staticmethod
    def exemplars(x):
        return [(e["labels"], e["value"], e["timestamp"]) for e in x.get("exemplars", [])]

    def admin(self, path, params=()):
        answers = []
        for n in ("reference", "cairn"):
            request = urllib.request.Request(self.urls[n] + "/api/v1/admin/tsdb/" + path + "?" + urllib.parse.urlencode(list(params)), b"")
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    answers.append(answer.status)
            except urllib.error.HTTPError as e:
                answers.append((e.code, e.read()))
        self.counts["admin requests"] += 1
        if answers[0] != answers[1]:
            self.differs("%s %s\n  reference %s\n  cairn     %s" % (path, params, *answers))


def delete_params(rng, g):
    matcher = rng.choice(['m%d' % rng.randrange(12), '{job="a"}', '{n=~"1.*"}', '{__name__=~"m[0-3]",job!="b"}', '{le=""}', 'nope', '{n="%d"}' % rng.randrange(g.made + 1)])
    params = [("match[]", matcher)]
    if rng.random() < 0.8:
        start = g.now - rng.randrange(2 * HOUR)
        params += [("start", "%.3f" % (start / 1000)), ("end", "%.3f" % ((start + rng.randrange(HOUR)) / 1000))]
    return params


def interlude(rng, c, g, o):
    """Deletes, snapshots and restarts, every now and then. With a window the original keeps late samples that a deletion covers, and hides
    those that come after it; after a snapshot and a restart nothing is known here of what is in blocks."""
    x = rng.random()
    if x < 0.36 and o.deletes:
        c.stored()
        if x < 0.3:
            c.admin("delete_series", delete_params(rng, g))
        else:
            c.admin("clean_tombstones")
    elif x < 0.4 and not o.restarts:
        c.admin("snapshot")
    elif x < 0.5 and o.restarts:
        c.stored()
        kill = rng.random() < 0.5
        c.pair.restart(kill)
        c.counts["restarts, killed" if kill else "restarts"] += 1


def run(pair, o, window_ms):
    rng = random.Random(o.seed)
    g, c = Generator(rng, int((time.time() - o.hours * 3600) * 1000), window_ms), Comparison(pair, o, window_ms)
    until = time.monotonic() + o.seconds
    c.request(Request(1, [Series([("__name__", "first")], [(g.now, 1.0, 0)])]))  # an empty store takes its first sample as the newest
    while time.monotonic() < until and c.counts["requests"] < o.requests:
        for _ in range(25):
            c.request(g.next())
        interlude(rng, c, g, o)
        c.stored()
        c.side()
        g.there, g.known = c.there, [labels for labels in g.known if key(labels) not in c.left_out]
    for name, why, _ in KNOWN:
        print("%6d  %s: %s" % (c.known[name], name, why))
    print(dict(c.counts))
    return 1 if c.counts["different"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus")
    parser.add_argument("--cairn", default=PROGRAM)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--requests", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--window", default="1h", help="out_of_order_time_window, in hours or 0")
    parser.add_argument("--hours", type=float, default=2.5, help="how long ago the first sample is")
    parser.add_argument("--shown", type=int, default=40)
    parser.add_argument("--read", default=".+", help="regular expression of the names that are compared")
    parser.add_argument("--deletes", action="store_true", help="by the admin API; with --window 0")
    parser.add_argument("--restarts", action="store_true", help="by SIGTERM and SIGKILL, instead of snapshots")
    o = parser.parse_args()
    if o.deletes and float(o.window.rstrip("h")):
        parser.error("--deletes are compared with --window 0 only")
    config = CONFIG.replace("WINDOW", o.window)
    with Pair(o.prometheus, o.cairn, ["--web.enable-admin-api"], features="exemplar-storage", config=config) as pair:
        return run(pair, o, int(float(o.window.rstrip("h")) * HOUR))


if __name__ == "__main__":
    sys.exit(main())
