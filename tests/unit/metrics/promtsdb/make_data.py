#!/usr/bin/env python3
"""Makes data/ of this folder with a real Prometheus: make_data.py PROMETHEUS. The test knows the values by the same formulas.

data/ then has a block with tombstones, a log and head chunks of eight series: floats, and histograms of every kind.
data_st/ has a block and a log of three series with start timestamps, in the encodings for those (3.14 or later); the series a
Prometheus adds to a scrape are there, too."""
import http.server
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
T0, STEP, TICKS, FIRST_ST, TICKS_ST = 1700000000000, 15000, 140, 3, 60
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def zigzag(v):
    return varint(v << 1 ^ v >> 63)


def num(field, v):
    return varint(field << 3) + varint(v)


def dbl(field, v):
    return varint(field << 3 | 1) + struct.pack("<d", v)


def msg(field, body):
    body = body.encode() if isinstance(body, str) else body
    return varint(field << 3 | 2) + varint(len(body)) + body


def packed(field, values, one):
    return msg(field, b"".join(one(v) for v in values))


def span(field, offset, length):
    return msg(field, varint(1 << 3) + zigzag(offset) + num(2, length))


def floats(tick):
    return [tick * 3, (tick * tick % 97) / 100, 5 if tick < 60 else float("inf"), STALE if tick % 90 == 89 else tick / 7]


def integer_histogram(tick, kind):
    n = tick - 70 if kind == "hist_int" and tick >= 70 else tick  # the counter is reset at tick 70
    counts = [n, n * 2, n // 3]
    body = num(1, sum(counts) + n % 5) + dbl(3, n * 1.5)
    body += varint(4 << 3) + zigzag(-53 if kind == "hist_custom" else 2)
    if kind == "hist_custom":
        body = num(1, sum(counts)) + body[len(num(1, sum(counts) + n % 5)):]
    else:
        body += dbl(5, 0.001) + num(6, n % 5)
    body += span(11, 0 if kind == "hist_custom" else -1, 2) + span(11, 0 if kind == "hist_custom" else 3, 1)
    body += packed(12, [counts[0], counts[1] - counts[0], counts[2] - counts[1]], zigzag)
    body += num(14, 3 if kind == "hist_gauge" else 0) + num(15, T0 + tick * STEP)
    if kind == "hist_custom":
        body += packed(16, [0.005, 0.25, 3.3333], lambda v: struct.pack("<d", v))
    return body


def float_histogram(tick):
    counts = [tick + 0.5, tick * 2.25]
    return (dbl(2, sum(counts) + 1) + dbl(3, tick / 3) + varint(4 << 3) + zigzag(0) + dbl(5, 1e-128) + dbl(7, 1) +
            span(8, 2, 1) + packed(10, counts[:1], lambda v: struct.pack("<d", v)) +
            span(11, -3, 1) + packed(13, counts[1:], lambda v: struct.pack("<d", v)) + num(15, T0 + tick * STEP))


def request(tick):
    def series(name, *parts):
        labels = b"".join(msg(1, msg(1, k) + msg(2, v)) for k, v in
                          (("__name__", name), ("instance", "host:9100"), ("job", "fixture")))
        return msg(1, labels + b"".join(parts))
    ts = T0 + tick * STEP
    out = b""
    for i, v in enumerate(floats(tick)):
        exemplar = msg(3, msg(1, msg(1, "trace_id") + msg(2, f"t{tick}")) + dbl(2, v) + num(3, ts)) if i == 0 and tick % 50 == 0 else b""
        out += series(f"float_{i}", msg(2, dbl(1, v) + num(2, ts)), exemplar)
    for kind in ("hist_int", "hist_gauge", "hist_custom"):
        out += series(kind, msg(4, integer_histogram(tick, kind)))
    return out + series("hist_float", msg(4, float_histogram(tick)))


def start_of(tick):
    return T0 - 5000 if tick < 30 else T0 + 30 * STEP - 7000


def exposition(tick):
    """A scrape in protobuf, which has start timestamps and native histograms."""
    def family(name, kind, part):
        body = msg(1, name) + num(3, kind) + msg(4, part)
        return varint(len(body)) + body

    def histogram(body, fields):
        return msg(7, fields + msg(15, start) + body)
    start = num(1, start_of(tick) // 1000) + num(2, start_of(tick) % 1000 * 1000000)
    n = tick - 70 if tick >= 70 else tick
    counts = [n, n * 2, n // 3]
    integers = (num(1, sum(counts) + n % 5) + dbl(2, n * 1.5) + varint(5 << 3) + zigzag(2) + dbl(6, 0.001) + num(7, n % 5) + span(12, -1, 2) +
                span(12, 3, 1) + packed(13, [counts[0], counts[1] - counts[0], counts[2] - counts[1]], zigzag))
    counts = [tick + 0.5, tick * 2.25]
    floating = (dbl(4, sum(counts) + 1) + dbl(2, tick / 3) + varint(5 << 3) + zigzag(0) + dbl(6, 1e-128) + dbl(8, 1) + span(9, 2, 1) +
                packed(11, counts[:1], lambda v: struct.pack("<d", v)) + span(12, -3, 1) +
                packed(14, counts[1:], lambda v: struct.pack("<d", v)))
    return (family("float_3", 0, msg(3, dbl(1, tick / 7) + msg(3, start))) + family("hist_int", 4, histogram(b"", integers)) +
            family("hist_float", 4, histogram(b"", floating)))


class Target(http.server.BaseHTTPRequestHandler):
    tick = FIRST_ST  # a scrape leaves empty buckets out: begin where there are none

    def do_GET(self):
        body = exposition(Target.tick)
        Target.tick += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def snappy(data):
    out = varint(len(data))
    for i in range(0, len(data), 60):
        part = data[i:i + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out


def start(prometheus, data, config, *features):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = subprocess.Popen([prometheus, f"--config.file={config}", f"--storage.tsdb.path={data}", "--web.enable-admin-api",
                               "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y",
                               "--enable-feature=" + ",".join(("native-histograms", "exemplar-storage") + features), f"--web.listen-address=127.0.0.1:{port}"],
                              stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5)
            return server, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("not ready")


def stop(server, how=signal.SIGTERM):
    server.send_signal(how)
    server.wait()


def trimmed(source, target):
    """Without the zeros at the end, which Prometheus reserves and this test does not need."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(source, "rb") as f:
        data = f.read()
    with open(target, "wb") as f:
        f.write(data.rstrip(b"\0") + bytes(8))  # the last value may end in zeros of its own


def fill(url):
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
    for tick in range(TICKS):
        urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/write", data=snappy(request(tick)), headers=headers), timeout=10)


def snapshot_of(url, data):
    urllib.request.urlopen(f"{url}/api/v1/admin/tsdb/snapshot", data=b"", timeout=20)
    return f"{data}/snapshots/{os.listdir(f'{data}/snapshots')[0]}"


def keep(source, snapshot, out, folders):
    block = next(n for n in os.listdir(snapshot) if len(n) == 26)
    for name in ("meta.json", "index", "tombstones", "chunks/000001"):
        os.makedirs(os.path.dirname(f"{out}/{block}/{name}"), exist_ok=True)
        shutil.copy(f"{snapshot}/{block}/{name}", f"{out}/{block}/{name}")
    for folder in folders:
        for name in sorted(os.listdir(f"{source}/{folder}")):
            trimmed(f"{source}/{folder}/{name}", f"{out}/{folder}/{name}")


def main():
    prometheus, work, out = sys.argv[1], tempfile.mkdtemp(), f"{HERE}/data"
    with open(f"{work}/p.yml", "w", encoding="utf-8") as f:
        f.write("global: {scrape_interval: 1h}\n")
    shutil.rmtree(out, ignore_errors=True)
    server, url = start(prometheus, f"{work}/d", f"{work}/p.yml")
    fill(url)
    snapshot = snapshot_of(url, f"{work}/d")
    stop(server)
    server, url = start(prometheus, snapshot, f"{work}/p.yml")
    for name, first, last in (("float_0", 10, 20), ("hist_int", 100, 100)):
        query = urllib.parse.urlencode({"match[]": name, "start": (T0 + first * STEP) / 1000, "end": (T0 + last * STEP) / 1000})
        urllib.request.urlopen(f"{url}/api/v1/admin/tsdb/delete_series?{query}", data=b"", timeout=20)
    stop(server)
    keep(f"{work}/d", snapshot, out, ("wal", "chunks_head"))
    shutil.rmtree(f"{out}_st", ignore_errors=True)
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    with open(f"{work}/st.yml", "w", encoding="utf-8") as f:
        f.write("global: {scrape_interval: 100ms, scrape_timeout: 100ms, scrape_native_histograms: true}\nscrape_configs:\n"
                "- job_name: fixture\n  scrape_protocols: [PrometheusProto]\n"
                f"  static_configs: [{{targets: ['127.0.0.1:{target.server_port}']}}]\n")
    server, url = start(prometheus, f"{work}/st", f"{work}/st.yml", "st-storage", "xor2-encoding", "histograms-st-encoding")
    while Target.tick < FIRST_ST + TICKS_ST:
        time.sleep(0.01)
    snapshot = snapshot_of(url, f"{work}/st")
    stop(server)
    keep(f"{work}/st", snapshot, f"{out}_st", ("wal",))
    shutil.rmtree(work)


main()
