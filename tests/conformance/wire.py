"""Remote write 1.0 and 2.0 and remote read, encoded and decoded by hand, right and wrong. Standard library only."""
import math
import struct
import urllib.request

from promql_diff import Histogram, double, encode_spans, field, snappy, varint, zigzag

V1, V2 = "application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def raw(s):
    return s if isinstance(s, bytes) else s.encode()


def integer(number, n):
    return varint(number << 3) + varint(n)


def float_bits(number, v):
    """A double, or by an integer the bits of one: NaNs have payloads."""
    return varint(number << 3 | 1) + struct.pack("<Q", v) if isinstance(v, int) else double(number, v)


class Native:
    """The fields of a histogram as they travel: float when `count` is one. Nothing is checked."""

    def __init__(self, count, total, schema, positive=(), negative=(), spans=(), negative_spans=(), zero=0, threshold=0.0, bounds=(), hint=0):
        self.count, self.sum, self.schema, self.zero, self.threshold = count, total, schema, zero, threshold
        self.positive, self.negative, self.spans, self.negative_spans = list(positive), list(negative), list(spans), list(negative_spans)
        self.bounds, self.hint = list(bounds), hint

    @classmethod
    def of(cls, buckets, negative=None, zero=0, total=0.0, schema=0, threshold=0.001, bounds=(), hint=0, floating=False):
        """Out of {index: count}."""
        sides = []
        for side in (buckets, negative or {}):
            spans, counts = Histogram.spans(side)
            sides.append((spans, [float(c) for c in counts] if floating else [c - b for c, b in zip(counts, [0] + counts[:-1])]))
        count = zero + sum(buckets.values()) + sum((negative or {}).values())
        (spans, positive), (negative_spans, below) = sides
        return cls(float(count) if floating else count, total, schema, positive, below, spans, negative_spans, float(zero) if floating else zero,
                   0.0 if schema == -53 else threshold, bounds, hint)

    def encode(self, t, start=0):
        out = double(2, self.count) if isinstance(self.count, float) else integer(1, self.count)
        out += float_bits(3, self.sum) + varint(4 << 3) + zigzag(self.schema) + double(5, self.threshold)
        out += double(7, self.zero) if isinstance(self.zero, float) else integer(6, self.zero)
        for spans, values, number in ((self.negative_spans, self.negative, 8), (self.spans, self.positive, 11)):
            out += encode_spans(number, spans)
            if values and isinstance(values[0], float):
                out += field(number + 2, struct.pack("<%dd" % len(values), *values))
            elif values:
                out += field(number + 1, b"".join(zigzag(v) for v in values))
        out += integer(14, self.hint) + integer(15, t)
        if self.bounds:
            out += field(16, struct.pack("<%dd" % len(self.bounds), *self.bounds))
        return out + (integer(17, start) if start else b"")


class Series:
    """One series of a request: samples are (ms, float | bits | Native, start ms), exemplars (labels, value, ms)."""

    def __init__(self, labels, samples=(), exemplars=(), meta=None):
        self.labels, self.samples, self.exemplars, self.meta = list(labels), list(samples), list(exemplars), meta

    def split(self):
        floats = [s for s in self.samples if not isinstance(s[1], Native)]
        return floats, [s for s in self.samples if isinstance(s[1], Native)]


def write_v1(series, metadata=()):
    def labels(pairs):
        return b"".join(field(1, field(1, raw(k)) + field(2, raw(v))) for k, v in pairs)

    out = b""
    for s in series:
        floats, natives = s.split()
        body = labels(s.labels) + b"".join(field(2, float_bits(1, v) + integer(2, t)) for t, v, _ in floats)
        body += b"".join(field(3, labels(pairs) + float_bits(2, v) + integer(3, t)) for pairs, v, t in s.exemplars)
        out += field(1, body + b"".join(field(4, h.encode(t)) for t, h, _ in natives))
    for metric, kind, text, unit in metadata:
        out += field(3, integer(1, kind) + field(2, raw(metric)) + field(4, raw(text)) + field(5, raw(unit)))
    return out


def write_v2(series, spoil=None):
    """`spoil(refs)` may change the references of a series or an exemplar."""
    symbols = {b"": 0}

    def refs(pairs):
        out = [symbols.setdefault(raw(x), len(symbols)) for pair in pairs for x in pair]
        return field(1, b"".join(varint(r) for r in (spoil(out) if spoil else out)))

    body = b""
    for s in series:
        floats, natives = s.split()
        one = refs(s.labels)
        one += b"".join(field(2, float_bits(1, v) + integer(2, t) + (integer(3, start) if start else b"")) for t, v, start in floats)
        one += b"".join(field(3, h.encode(t, start)) for t, h, start in natives)
        one += b"".join(field(4, refs(pairs) + float_bits(2, v) + integer(3, t)) for pairs, v, t in s.exemplars)
        if s.meta:
            kind, text, unit = s.meta
            one += field(5, integer(1, kind) + b"".join(integer(n, symbols.setdefault(raw(x), len(symbols))) for n, x in ((3, text), (4, unit))))
        body += field(5, one)
    return b"".join(field(4, s) for s in symbols) + body


# -- remote read -------------------------------------------------------------------------------------------------


def unsnappy(data):
    at, shift, size = 0, 0, 0
    while True:
        size |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            break
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            n = tag >> 2
            if n >= 60:
                width = n - 59
                n = int.from_bytes(data[at : at + width], "little")
                at += width
            out += data[at : at + n + 1]
            at += n + 1
            continue
        if kind == 1:
            n, back, at = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
        else:
            width = 2 if kind == 2 else 4
            n, back, at = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little"), at + width
        for _ in range(n):
            out.append(out[-back])
    assert len(out) == size
    return bytes(out)


def read_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return n, at


def fields(data):
    """(number, int or bytes) of a message; fixed 64-bit fields as their bits."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        else:
            n, at = read_varint(data, at)
            value, at = data[at : at + n], at + n
        yield key >> 3, value


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def unzigzag(n):
    return n >> 1 ^ -(n & 1)


def as_float(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def packed_varints(data):
    at = 0
    while at < len(data):
        n, at = read_varint(data, at)
        yield unzigzag(n)


def buckets(spans, values, deltas):
    """{index: count} of those that are not empty: two layouts of the same buckets are the same."""
    out, index, at, running = {}, 0, 0, 0
    for span in spans:
        f = dict(fields(span))
        index += unzigzag(f.get(1, 0))
        for _ in range(f.get(2, 0)):
            running = running + values[at] if deltas else values[at]
            if running != 0:
                out[index] = running
            index, at = index + 1, at + 1
    return out


def read_native(data):
    """(ms, description): all that a histogram says, without how it says it."""
    one, spans, values = {}, {8: [], 11: []}, {9: [], 10: [], 12: [], 13: [], 16: []}
    for number, value in fields(data):
        if number in spans:
            spans[number].append(value)
        elif number in (9, 12):
            values[number] += packed_varints(value) if isinstance(value, bytes) else [unzigzag(value)]
        elif number in values:
            values[number] += struct.unpack("<%dd" % (len(value) // 8), value) if isinstance(value, bytes) else [as_float(value)]
        else:
            one[number] = value
    floating = 2 in one
    sides = [buckets(spans[n], values[n + 2] if floating else values[n + 1], not floating) for n in (11, 8)]
    count, zero = (as_float(one.get(2, 0)), as_float(one.get(7, 0))) if floating else (one.get(1, 0), one.get(6, 0))
    what = ["float" if floating else "int", "count", count, "sum", "%016x" % one.get(3, 0), "schema", unzigzag(one.get(4, 0)), "zero", zero, as_float(one.get(5, 0)), "buckets",
            *sides, "bounds", values[16], "gauge" if one.get(14) == 3 else "counter"]
    if as_stale(one.get(3, 0)):
        return signed(one.get(15, 0)), "stale"  # whose kind it has is of no consequence
    return signed(one.get(15, 0)), str(what)


def as_stale(bits):
    return bits == 0x7FF0000000000002


def read_series(data):
    labels, samples = [], []
    for number, value in fields(data):
        if number == 1:
            f = dict(fields(value))
            labels.append((f.get(1, b"").decode(errors="replace"), f.get(2, b"").decode(errors="replace")))
        elif number == 2:
            f = dict(fields(value))
            bits = f.get(1, 0)
            value = as_float(bits) + 0.0  # an encoder leaves out zeros of either sign
            samples.append((signed(f.get(2, 0)), "stale" if as_stale(bits) else repr(value) if not math.isnan(value) else "%016x" % bits))
        elif number == 4:
            samples.append(read_native(value))
    return tuple(labels), samples


def read_all(url, name=".+", start=-(1 << 62), end=1 << 62):
    """{labels: [(ms, value)]} of all that is stored."""
    matcher = field(3, integer(1, 2) + field(2, b"__name__") + field(3, name.encode()))
    request = urllib.request.Request(url + "/api/v1/read", snappy(field(1, integer(1, start) + integer(2, end) + matcher)),
                                     {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Read-Version": "0.1.0"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        data = unsnappy(answer.read())
    out = {}
    for number, result in fields(data):
        for inner, series in fields(result) if number == 1 else ():
            if inner == 1:
                labels, samples = read_series(series)
                assert labels not in out, "the series comes twice: %s" % (labels,)
                out[labels] = samples
    return out
