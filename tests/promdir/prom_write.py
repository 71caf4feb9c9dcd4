"""What a sender says to Prometheus' remote write endpoint, by hand: version 1 (floats, native histograms, exemplars) and version 2
(metadata, custom buckets, start timestamps too)."""
import os
import struct
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import field, snappy_literal, varint  # noqa: E402

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")


def zigzag(v):
    return varint(((v << 1) ^ (v >> 63)) & (1 << 64) - 1)


def number(at, v):
    return varint(at << 3) + varint(v & (1 << 64) - 1) if v else b""


def double(at, v):
    return varint(at << 3 | 1) + struct.pack("<d", v)


def packed(at, parts):
    return field(at, b"".join(parts)) if parts else b""


def spans(at, layout):
    return b"".join(field(at, varint(1 << 3) + zigzag(offset) + number(2, length)) for offset, length in layout)


def counts(at, h, key):
    """Integers as differences to the bucket before, floats as they are two fields later."""
    values = h.get(key, [])
    if h["float"]:
        return packed(at + 1, [struct.pack("<d", v) for v in values])
    return packed(at, [zigzag(v - (values[i - 1] if i else 0)) for i, v in enumerate(values)])


def histogram(h, ts, start=0):
    """h: {float, gauge?, reset?, count, sum, schema, zero_threshold?, zero?, positive_spans?, positive?, negative_spans?, negative?,
    custom?}"""
    is_float = h["float"]
    out = double(2, h["count"]) if is_float else varint(1 << 3) + varint(h["count"])
    out += double(3, h["sum"]) + varint(4 << 3) + zigzag(h["schema"]) + double(5, h.get("zero_threshold", 0))
    out += double(7, h.get("zero", 0)) if is_float else varint(6 << 3) + varint(h.get("zero", 0))
    out += spans(8, h.get("negative_spans", ())) + counts(9, h, "negative")
    out += spans(11, h.get("positive_spans", ())) + counts(12, h, "positive")
    out += number(14, 3 if h.get("gauge") else h.get("reset", 0)) + number(15, ts)
    return out + packed(16, [struct.pack("<d", v) for v in h.get("custom", ())]) + number(17, start)


def sample(v, ts, start=0):
    return double(1, v) + number(2, ts) + number(3, start)


def pairs_v1(labels):
    return b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))


def request_v1(series):
    """series: [{labels, samples: [(ts, value or histogram[, start])], exemplars: [(labels, value, ts)]}]"""
    out = b""
    for s in series:
        body = pairs_v1(s["labels"])
        for ts, v, *_ in s["samples"]:
            body += field(4, histogram(v, ts)) if isinstance(v, dict) else field(2, sample(v, ts))
        for labels, v, ts in s.get("exemplars", ()):
            body += field(3, pairs_v1(labels) + double(2, v) + number(3, ts))
        out += field(1, body)
    return out


class Symbols:
    def __init__(self):
        self.items = {"": 0}

    def of(self, text):
        return self.items.setdefault(text, len(self.items))

    def labels(self, labels):
        return packed(1, [varint(self.of(t)) for pair in sorted(labels.items()) for t in pair])


def request_v2(series):
    """As version 1; metadata: (type, help, unit)."""
    symbols, rows = Symbols(), b""
    for s in series:
        body = symbols.labels(s["labels"])
        for ts, v, *start in s["samples"]:
            body += field(3, histogram(v, ts, *start)) if isinstance(v, dict) else field(2, sample(v, ts, *start))
        for labels, v, ts in s.get("exemplars", ()):
            body += field(4, symbols.labels(labels) + double(2, v) + number(3, ts))
        if "metadata" in s:
            kind, text, unit = s["metadata"]
            body += field(5, number(1, TYPES.index(kind)) + number(3, symbols.of(text)) + number(4, symbols.of(unit)))
        rows += field(5, body)
    return b"".join(field(4, t.encode()) for t in symbols.items) + rows


def send(port, series, version=1):
    """The status, and the answer's text."""
    body = snappy_literal((request_v1, request_v2)[version - 1](series))
    proto = ";proto=io.prometheus.write.v2.Request" if version == 2 else ""
    headers = {"Content-Type": "application/x-protobuf" + proto, "Content-Encoding": "snappy",
               "X-Prometheus-Remote-Write-Version": ("0.1.0", "2.0.0")[version - 1]}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/write", data=body, headers=headers),
                                    timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(errors="replace")
