"""A data directory of a real Prometheus as one finds them: drawn from a seed. Several runs, ended by SIGTERM or SIGKILL, possibly of
an old version first; blocks of several levels, late samples, deletions, series that come and go, every kind of histogram."""
import os
import random
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from promdir import Server
from prom_write import STALE, send
from stack import free_port

MINUTE = 60000
STEP = 15000
FEATURES_NEW = ("memory-snapshot-on-shutdown", "metadata-wal-records", "st-storage", "xor2-encoding", "histograms-st-encoding",
                "created-timestamp-zero-ingestion", "delayed-compaction")
SPECIAL = (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, STALE)


def version_of(program):
    out = subprocess.run([program, "--version"], capture_output=True, text=True)
    return (2, 42) if "version 2.42" in out.stdout + out.stderr else (3, 14)


class Series:
    """One series and the process behind it: value(i) goes with time."""

    def __init__(self, rng, kind, labels):
        self.rng, self.kind, self.labels = rng, kind, labels
        self.total, self.start, self.last_ts = 0.0, 0, 0
        self.layout = self.new_layout()
        self.jitter = rng.choice((0, 0, rng.randint(0, 40)))
        self.every = rng.choice((1, 1, 1, 2, 7)) if kind != "sparse" else 37

    def new_layout(self):
        rng = self.rng
        spans = [[rng.randint(-3, 3), rng.randint(1, 4)]]
        while rng.random() < 0.4:
            spans.append([rng.randint(1, 5), rng.randint(1, 3)])
        return {"schema": rng.randint(-4, 8), "positive_spans": spans,
                "negative_spans": [[rng.randint(-2, 2), rng.randint(1, 3)]] if rng.random() < 0.4 else [],
                "zero_threshold": rng.choice((0, 1e-128, 0.001, 2.0 ** -40)),
                "custom": sorted(rng.sample([0.005, 0.01, 0.25, 1, 2.5, 10, 1e6, 1 / 3], rng.randint(1, 6))),
                "buckets": None, "float": False}

    def histogram(self, is_float, gauge, custom):
        rng, lay = self.rng, self.layout
        if rng.random() < 0.02:
            self.layout = lay = self.new_layout()  # another schema or other buckets
        spans = [[0, len(lay["custom"]) + 1]] if custom else lay["positive_spans"]
        negative = [] if custom else lay["negative_spans"]
        n, m = sum(s[1] for s in spans), sum(s[1] for s in negative)
        old = lay["buckets"]
        if old is None or gauge or rng.random() < 0.03 or lay["float"] != is_float:
            old = ([0] * n, [0] * m, 0)  # a counter begins anew
            self.start, lay["float"] = self.last_ts - 3001, is_float
        scale = rng.choice((1, 0.5, 1 / 3)) if is_float else 1
        grown = [[v + scale * rng.randint(0, 9) for v in part] for part in old[:2]]
        zero = 0 if custom else old[2] + scale * rng.randint(0, 3)
        lay["buckets"] = (grown[0], grown[1], zero)
        h = {"float": is_float, "gauge": gauge, "schema": -53 if custom else lay["schema"], "positive_spans": spans,
             "positive": grown[0], "negative_spans": negative, "negative": grown[1], "zero": zero,
             "zero_threshold": 0 if custom else lay["zero_threshold"], "sum": round(rng.uniform(-100, 1000), 3),
             "count": sum(grown[0]) + sum(grown[1]) + zero}
        if custom:
            h["custom"] = lay["custom"]
        elif rng.random() < 0.02:
            h["reset"] = rng.choice((0, 1))
        return h

    def value(self, ts):
        rng, kind = self.rng, self.kind
        self.last_ts = ts
        if kind.startswith("hist"):
            if rng.random() < 0.01:
                return STALE
            return self.histogram("float" in kind, "gauge" in kind, "custom" in kind)
        if kind == "mixed":
            turn = ts // (MINUTE * 20) % 3
            return self.histogram(turn == 2, False, False) if turn else float(rng.randint(0, 99))
        if kind == "counter":
            if rng.random() < 0.01:
                self.total, self.start = 0, ts - 3001
            self.total += rng.choice((0, 1, 1, 17))
            return float(self.total)
        if kind == "special" and rng.random() < 0.2:
            return rng.choice(SPECIAL)
        return {"const": 7.0, "gauge": rng.choice((round(rng.random() * 100, 3), rng.random()))}.get(kind, float(rng.randint(-5, 5)))


class Fill:
    def __init__(self, seed, work, programs, quick=False):
        self.rng, self.work = random.Random(seed), work
        rng = self.rng
        self.programs = programs  # oldest first
        self.agent = rng.random() < 0.08
        self.phases = rng.randint(1, 2) if self.agent else rng.randint(1, 2 if quick else 4)
        old = 0 if len(programs) == 1 else rng.choice((0, 0, 1, self.phases))  # so many phases with the older program
        self.plan = [programs[0] if i < old else programs[-1] for i in range(self.phases)]
        self.base = (int(time.time() * 1000) // (120 * MINUTE) - 10) * 120 * MINUTE
        self.t = self.base
        self.window = rng.choice((0, 10, 60, 300)) * MINUTE
        self.block = rng.choice((10, 20, 60, 120)) * MINUTE
        self.block_max = self.block * rng.choice((1, 3, 9))
        self.compression = rng.choice(("snappy", "zstd", "none"))
        self.segment = rng.choice(("10MB", "128MB"))
        self.stripe = rng.choice((16, 1024, 16384))
        self.features = rng.sample(FEATURES_NEW, rng.randint(0, len(FEATURES_NEW)))
        if "st-storage" in self.features:  # needs what can hold them
            self.features = sorted({*self.features, "xor2-encoding", "histograms-st-encoding"})
        self.write_version = rng.choice((1, 2))
        self.version = version_of(self.plan[0])
        self.live, self.made, self.odd_ms = [], 0, 1
        self.refused, self.deleted, self.deletes = {}, False, True
        self.stale_threshold = rng.choice((0, 0, 0.05, 0.3))
        self.log = f"{work}/fill.log"
        self.data = f"{work}/origin"
        self.steps_max = 300 if quick else 900

    def describe(self):
        return (f"{[os.path.basename(p) + '/' + str(version_of(p)[0]) for p in self.plan]} agent={self.agent} window={self.window // MINUTE}m "
                f"blocks={self.block // MINUTE}..{self.block_max // MINUTE}m {self.compression} segment={self.segment} stripe={self.stripe} "
                f"write=v{self.write_version} features={','.join(self.features) or 'none'}")

    # -- a phase ------------------------------------------------------------------------------------------------------------

    def config(self):
        path = f"{self.work}/fill.yml"
        with open(path, "w", encoding="utf-8") as f:
            if not self.agent:
                stale = f", stale_series_compaction_threshold: {self.stale_threshold}" if self.version >= (3, 0) else ""
                f.write(f"storage: {{tsdb: {{out_of_order_time_window: {self.window // MINUTE}m{stale}}}}}\n")
            f.write("global: {scrape_interval: 1h}\n")
        return path

    def server(self, program):
        port, new = free_port(), version_of(program) >= (3, 0)
        features = ["exemplar-storage"] if new else ["exemplar-storage", "native-histograms"]
        features += [f for f in self.features if new or f == "memory-snapshot-on-shutdown"]
        if self.agent:
            where = ["--agent"] if new else []
            features = [] if new else ["agent"]
            where += [f"--storage.agent.path={self.data}"]
        else:
            where = [f"--storage.tsdb.path={self.data}", "--storage.tsdb.retention.time=10y", "--web.enable-admin-api",
                     f"--storage.tsdb.min-block-duration={self.block // MINUTE}m",
                     f"--storage.tsdb.max-block-duration={self.block_max // MINUTE}m",
                     f"--storage.tsdb.wal-segment-size={self.segment}", f"--storage.tsdb.head-chunks-write-queue-size={self.stripe % 17}"]
            where += ["--no-storage.tsdb.wal-compression"] if self.compression == "none" else ["--storage.tsdb.wal-compression"]
            if new and self.compression != "none":
                where += [f"--storage.tsdb.wal-compression-type={self.compression}"]
        return Server([program, f"--config.file={self.config()}", "--web.enable-remote-write-receiver",
                       f"--web.listen-address=127.0.0.1:{port}", *where,
                       *([f"--enable-feature={','.join(features)}"] if features else [])], port, self.log)

    def kinds(self):
        old = ("counter", "gauge", "const", "special", "sparse")
        hist = ("hist_int", "hist_float", "hist_gauge", "hist_float_gauge", "mixed")
        if self.version < (3, 0):
            return old * 2 + hist[:1]
        return old * 2 + hist + ("hist_custom", "hist_float_custom")

    def new_series(self):
        rng = self.rng
        kind = rng.choice(self.kinds())
        self.made += 1
        labels = {"__name__": f"{kind}_{rng.randint(0, 3)}", "instance": f"h{rng.randint(0, 4)}:9100", "job": rng.choice("abc"),
                  "pod": f"pod-{self.made}"}
        if rng.random() < 0.1:
            labels["odd"] = rng.choice(('quote " and \\', "line\nfeed", "tab\there", "é中文", "x" * rng.choice((1, 300, 5000))))
        if self.version >= (3, 0) and rng.random() < 0.1:
            labels[rng.choice(("http.status", "ключ", "with space"))] = "utf8"
            if rng.random() < 0.5:
                labels["__name__"] = rng.choice(("http.request.size", "größe", "a b{c}"))
        return Series(rng, kind, labels)

    def churn(self):
        rng = self.rng
        while len(self.live) < 25 or rng.random() < 0.3:
            self.live.append(self.new_series())
        if rng.random() < 0.3:
            gone = self.live.pop(rng.randrange(len(self.live)))
            return [{"labels": gone.labels, "samples": [(self.t, STALE)]}] if rng.random() < 0.7 else []
        return []

    def batch(self, steps):
        """So many steps of all live series, in order."""
        rng, rows = self.rng, self.churn()
        self.t += rows != [] and 1
        for s in self.live:
            samples, exemplars = [], []
            for i in range(steps):
                ts = self.t + i * STEP + s.jitter
                if i % s.every == 0:
                    value = s.value(ts)
                    start = self.write_version == 2 and s.kind in ("counter", "hist_int", "hist_float") and value is not STALE
                    samples.append((ts, value, s.start or self.base - 1000) if start else (ts, value))
                    if rng.random() < 0.01 and s.kind in ("counter", "hist_int"):
                        exemplars.append(({"trace_id": f"{rng.getrandbits(64):x}"} if rng.random() < 0.9 else {}, rng.random(), ts))
            row = {"labels": s.labels, "samples": samples, "exemplars": exemplars}
            if self.write_version == 2:
                row["metadata"] = (rng.choice(("counter", "gauge", "histogram")), f"Help of {s.kind}\nsecond line", rng.choice(("", "seconds")))
            rows.append(row)
        self.t += steps * STEP
        return rows

    def may_delete(self):
        """Late samples of its head are not deleted by 2.42, whatever it is told."""
        return self.deletes and not self.agent and (self.version >= (3, 0) or not self.window)

    def late(self):
        """Samples of the past between those that are there."""
        rng, rows = self.rng, []
        for s in rng.sample(self.live, min(len(self.live), 12)):
            samples = {}
            for _ in range(rng.choice((1, 5, 40, 90))):
                self.odd_ms = self.odd_ms % 4000 + 1
                ts = self.t - rng.randint(1, max(self.window, MINUTE) // STEP) * STEP - 5000 - self.odd_ms
                samples[ts] = s.value(ts) if s.kind != "mixed" else 1.0
            in_order = sorted(samples) if rng.random() < 0.5 else rng.sample(sorted(samples), len(samples))
            rows.append({"labels": s.labels, "samples": [(ts, samples[ts]) for ts in in_order]})
        return rows

    def delete(self, port):
        rng, self.deleted = self.rng, True
        selector = rng.choice(('{__name__=~"counter_.*"}', '{job="a"}', '{instance="h1:9100"}', '{__name__=~"hist.*"}', '{pod=~"pod-1.*"}'))
        start = rng.randint(self.base, self.t)
        end = start + rng.choice((1, 30, 400)) * MINUTE
        query = urllib.parse.urlencode({"match[]": selector, "start": start / 1000, "end": end / 1000})
        self.post(port, f"/api/v1/admin/tsdb/delete_series?{query}")

    def post(self, port, path):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=b"", timeout=30).read()
        except urllib.error.HTTPError as e:
            self.refused[f"{path.split('?')[0]} {e.code}"] = e.read()[:200]

    def send(self, port, rows):
        status, text = send(port, rows, self.write_version if self.version >= (3, 0) else 1)
        if status >= 300:
            key = f"{status} {text[:80]}"
            self.refused[key] = self.refused.get(key, 0) + 1

    def phase(self, program):
        rng = self.rng
        self.version = version_of(program)
        steps = rng.randint(60, self.steps_max)
        with self.server(program) as server:
            while steps > 0:
                n = min(steps, rng.choice((1, 20, 60)))
                self.send(server.port, self.batch(n))
                steps -= n
                if rng.random() < 0.3 and self.window:
                    self.send(server.port, self.late())
                if rng.random() < 0.06 and self.may_delete():
                    self.delete(server.port)
                if rng.random() < 0.03 and not self.agent:
                    self.post(server.port, "/api/v1/admin/tsdb/clean_tombstones")
                if rng.random() < 0.05:
                    self.t += rng.choice((5, 45, 200)) * MINUTE  # nothing came for a while
            time.sleep(rng.choice((0, 0.2, 1.5)))
            if rng.random() < 0.6:
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()

    def run(self):
        for program in self.plan:
            self.phase(program)
        return self.data
