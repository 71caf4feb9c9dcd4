"""One role of Cairn on a disk that misbehaves (shim.c), and histories whose every acknowledged sample and line is remembered.

Python 3 standard library only; the shim is compiled once by run.sh, which leaves its path in FAULT_SHIM.
"""
import errno
import json
import math
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, Cases, Stack, field, free_port, snappy_literal, varint  # noqa: E402,F401

OPEN, READ, WRITE, SYNC, RENAME, UNLINK, MAP, DUP, THREAD, TRUNCATE, RESERVE, LINK, MKDIR, FREE, CLOCK = (1 << i for i in range(15))
RULES, RULE_BYTES, KILL = 8, 128, -1
SHIM = os.environ.get("FAULT_SHIM", "")


class Control:
    """The rules of the shim, in a file that the program under test has mapped."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(bytes(RULES * RULE_BYTES))
        self.path = path
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), RULES * RULE_BYTES)

    def rule(self, number, ops, error=0, skip=0, left=-1, delay_s=0.0, short=0, part=""):
        """Calls of `ops` on paths with `part`: `skip` go well, then `left` (-1: all) are hit."""
        at = number * RULE_BYTES
        self.map[at:at + 4] = bytes(4)
        self.map[at + 4:at + RULE_BYTES] = struct.pack("<iiiIII100s", error, skip, left, int(delay_s * 1e6), short, 0, part.encode())
        self.map[at:at + 4] = struct.pack("<I", ops)

    def hits(self, number):
        return struct.unpack_from("<I", self.map, number * RULE_BYTES + 24)[0]

    def seen(self, number, skip):
        """How many calls a rule that was to let `skip` go well has seen."""
        return skip - struct.unpack_from("<i", self.map, number * RULE_BYTES + 8)[0]

    def clear(self):
        for number in range(RULES):
            self.map[number * RULE_BYTES:number * RULE_BYTES + 4] = bytes(4)


class Role(Stack):
    """`cairn serve --role=NAME` on a folder; a context manager that stops it and removes what it made."""
    name, ready, flags_of_role = "", "", []

    def __init__(self, flags=(), folder=None, shim=False, record=None, env=None, runner=()):
        super().__init__(demo=False, flags=flags)
        self.folder = folder or f"{self.dir}/data"
        self.runner, self.extra_env, self.record = list(runner), dict(env or {}), record
        self.control = Control(f"{self.dir}/control") if shim or record else None
        self.limits = None

    def command(self):
        return self.runner + [PROGRAM, "serve", f"--role={self.name}", f"--data={self.folder}",
                              f"--{self.name}-address=127.0.0.1:{self.ports[self.name]}"] + self.flags_of_role + self.flags

    @property
    def store(self):
        return f"{self.folder}/{self.name}"

    def spawn(self):
        self.log = open(f"{self.dir}/cairn.log", "ab")
        self.log_from = self.log.tell()
        env = dict(os.environ, **self.extra_env)
        if self.control:
            env.update(LD_PRELOAD=SHIM, FAULT_CONTROL=self.control.path, FAULT_ROOT=self.folder)
        if self.record:
            env["FAULT_RECORD"] = self.record
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, env=env,
                                        preexec_fn=self.limits)  # pylint: disable=W1509

    def start(self):
        self.spawn()
        self.wait_ready()

    def wait_ready(self, seconds=60):
        until = time.monotonic() + seconds
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"cairn ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > until:
                raise RuntimeError(f"not ready in {seconds} s:\n{self.tail()}")
            time.sleep(0.01)

    def is_ready(self):
        try:
            return self.get(self.name, self.ready)[0] == 200
        except OSError:
            return False

    def refuses_to_start(self, seconds=30):
        """What it says when it does not start; None when it does (it is stopped then)."""
        self.spawn()
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            if self.is_ready() or time.monotonic() > until:
                self.stop()
                return None
            time.sleep(0.01)
        return self.said()

    def restart(self):
        self.stop()
        self.start()

    def said(self):
        """The log since the last start."""
        with open(f"{self.dir}/cairn.log", errors="replace") as f:
            f.seek(self.log_from)
            return f.read()

    def metric(self, name):
        """A self-metric's value, whatever its labels; None when it is not there."""
        for line in self.get(self.name, "/metrics")[1].decode().splitlines():
            if line.startswith(name) and line[len(name):len(name) + 1] in (" ", "{"):
                return float(line.rsplit(" ", 1)[1])
        return None

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


class Metrics(Role):
    name, ready = "metrics", "/-/ready"
    flags_of_role = ["--web.enable-admin-api", "--web.enable-remote-write-receiver"]

    def __init__(self, **more):
        super().__init__(**more)
        with open(f"{self.dir}/nothing.yml", "w") as f:  # else it scrapes itself, and the present is now
            f.write("global: {scrape_interval: 1m}\n")
        self.flags = [f"--metrics-config={self.dir}/nothing.yml"] + self.flags

    def write(self, body, timeout=60):
        """(status, text) of a remote write; OSError when the connection broke."""
        status, answer, _ = self.request("metrics", "/api/v1/write", body=snappy_literal(body), method="POST", timeout=timeout, headers={
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        return status, answer.decode(errors="replace")

    def remote(self, labels, ts, value):
        return self.write(timeseries(labels, [(ts, value)]))

    def admin(self, what, **params):
        """The status; 0 when the connection broke."""
        try:
            return self.request("metrics", f"/api/v1/admin/tsdb/{what}?" + urllib.parse.urlencode(params), body=b"", method="POST")[0]
        except OSError:
            return 0

    def series(self, query, at_ms):
        """{label set: {timestamp ms: value or (count, sum)}} of a range selector that ends at at_ms, and the warnings."""
        data = self.get_json("metrics", "/api/v1/query", query=query, time=f"{at_ms / 1000:.3f}")
        out = {}
        for s in data["data"]["result"]:
            key = tuple(sorted(s["metric"].items()))
            values = {round(t * 1000): float(v) for t, v in s.get("values", [])}
            values.update({round(t * 1000): (float(h["count"]), float(h["sum"])) for t, h in s.get("histograms", [])})
            out[key] = values
        return out, data.get("warnings", [])


class Logs(Role):
    name, ready = "logs", "/ready"
    flags_of_role = ["-auth.multitenancy-enabled=true"]

    def push(self, tenant, labels, entries):
        body = json.dumps({"streams": [{"stream": labels, "values": [[str(t), l] for t, l in entries]}]}).encode()
        status, answer, _ = self.request("logs", "/loki/api/v1/push", body=body, method="POST",
                                         headers={"Content-Type": "application/json", "X-Scope-OrgID": tenant})
        return status, answer.decode(errors="replace")

    def flush(self):
        """What is in memory becomes blocks."""
        try:
            return self.request("logs", "/flush", body=b"", method="POST", headers={"X-Scope-OrgID": "tenant0"})[0]
        except OSError:
            return 0

    def lines(self, tenant, selector, start, end):
        """{timestamp ns: line} of all matching streams together."""
        found = {}
        while True:
            q = urllib.parse.urlencode({"query": selector, "start": start, "end": end, "limit": 5000, "direction": "forward"})
            status, body, _ = self.request("logs", "/loki/api/v1/query_range?" + q, headers={"X-Scope-OrgID": tenant})
            if status != 200:
                raise RuntimeError(f"{selector}: {status} {body[:300]!r}")
            entries = [e for s in json.loads(body)["data"]["result"] for e in s["values"]]
            found.update((int(t), l) for t, l in ((e[0], e[1]) for e in entries))
            if len(entries) < 5000:
                return found
            start = max(int(e[0]) for e in entries)


# -- remote write bodies: floats, native histograms, exemplars ----------------------------------------------

def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


def number_field(number, n):
    return varint(number << 3) + varint(n)


def double_field(number, v):
    return varint(number << 3 | 1) + struct.pack("<d", v)


def histogram(ts, count):
    """An integer histogram of `count` observations in two buckets."""
    low = count // 2
    deltas = zigzag(low) + zigzag(count - low - low)
    return (number_field(1, count) + double_field(3, count * 0.5) + varint(4 << 3) + zigzag(3) + double_field(5, 0.001) +
            number_field(6, 0) + field(11, varint(1 << 3) + zigzag(0) + number_field(2, 2)) + field(12, deltas) +
            number_field(15, ts & (1 << 64) - 1))


def timeseries(labels, samples):
    """samples: [(timestamp ms, float or ("h", count))]."""
    out = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
    for ts, v in samples:
        if isinstance(v, tuple):
            out += field(4, histogram(ts, v[1]))
        else:
            out += field(2, double_field(1, v) + number_field(2, ts & (1 << 64) - 1))
    return field(1, out)


class SampleHistory:
    """Targets whose floats (decimal, random, stale), histograms and late samples are written tick by tick.

    What was acknowledged is in `sure`, what was not (refused, or the connection broke) in `maybe`: a store must answer all of
    the first, may answer of the second, and nothing else. A request is one target's tick, which is there whole or not at all."""

    def __init__(self, seed=1, targets=4, series=4, start=None, step=15_000):
        self.rng = random.Random(seed)
        self.targets, self.per_target, self.step = targets, series, step
        self.start = start or int(time.time() * 1000) // 3_600_000 * 3_600_000 - 20 * 3_600_000
        self.tick, self.sure, self.maybe, self.gone = 0, {}, {}, set()
        self.batches = []  # of what was not acknowledged: [(key, ts)]
        self.statuses = {}

    def labels(self, target, s):
        kind = "fault_hist" if s == self.per_target - 1 else "fault_value"
        return {"__name__": kind, "job": "fault", "instance": f"t{target}", "series": str(s)}

    def value(self, s):
        if s == self.per_target - 1:
            return ("h", self.rng.randrange(1, 10**6))
        if s == 0:
            return float(self.tick)
        return self.rng.uniform(-1e9, 1e9) if s % 2 else round(self.rng.uniform(0, 100), 2)

    def rows(self, target, ts):
        for s in range(self.per_target):
            v = self.value(s)
            yield self.labels(target, s), ts, v

    def note(self, rows, sure):
        into = self.sure if sure else self.maybe
        batch = []
        for labels, ts, v in rows:
            key = tuple(sorted(labels.items()))
            into.setdefault(key, {})[ts] = (float(v[1]), v[1] * 0.5) if isinstance(v, tuple) else v
            batch.append((key, ts))
        if not sure:
            self.batches.append(batch)

    def send(self, role, rows, timeout=60):
        rows = list(rows)
        try:
            status, text = role.write(b"".join(timeseries(labels, [(ts, v)]) for labels, ts, v in rows), timeout=timeout)
        except OSError as e:
            status, text = 0, str(e)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.note(rows, 200 <= status < 300)
        return status, text

    def step_once(self, role, target=None):
        """The next tick of all targets (or one); the last answer."""
        answer = (0, "")
        ts = self.start + self.tick * self.step
        for t in range(self.targets) if target is None else [target]:
            answer = self.send(role, self.rows(t, ts + t))
        if self.tick % 7 == 3:  # a sample that comes late, of a series of its own
            late = {"__name__": "fault_late", "job": "fault", "instance": "t0"}
            self.send(role, [(late, ts - 600_000 * (self.tick % 2) - self.tick, float(self.tick))])
        self.tick += 1
        return answer

    def run(self, role, ticks):
        for _ in range(ticks):
            self.step_once(role)
        return self

    def fill(self, role, ticks, chunk=200, strict=True):
        """Many ticks in few requests: one for each target and `chunk` ticks. strict: raises when one is refused."""
        refused = None
        for at in range(0, ticks, chunk):
            n = min(chunk, ticks - at)
            for t in range(self.targets):
                keep = self.tick
                rows = []
                for _ in range(n):
                    rows += self.rows(t, self.start + self.tick * self.step + t)
                    self.tick += 1
                self.tick = keep
                by = {}
                for labels, ts, v in rows:
                    by.setdefault(tuple(sorted(labels.items())), []).append((ts, v))
                try:
                    status, text = role.write(b"".join(timeseries(dict(k), vs) for k, vs in by.items()))
                except OSError as e:
                    status, text = 0, str(e)
                refused = refused or (None if status // 100 == 2 else f"{status} {text}")
                self.note(rows, status // 100 == 2)
            self.tick += n
        if refused and strict:
            raise RuntimeError(refused)
        return self

    def delete(self, role, target, first_ms, last_ms):
        status = role.admin("delete_series", **{"match[]": f'fault_value{{instance="t{target}"}}', "start": first_ms / 1000, "end": last_ms / 1000})
        for key, samples in self.sure.items():
            if ("instance", f"t{target}") in key and ("__name__", "fault_value") in key:
                for ts in [t for t in samples if first_ms <= t <= last_ms]:
                    v = samples.pop(ts)
                    self.gone.add((key, ts))
                    if status != 204:
                        self.maybe.setdefault(key, {})[ts] = v
        return status

    def found(self, role):
        end = self.start + (self.tick + 2) * self.step
        return role.series(f'{{job="fault"}}[{end - self.start + 86_400_000}ms]', end)

    def count(self):
        return sum(len(s) for s in self.sure.values())

    def compare(self, role, some_may_be_missing=False):
        """[] when the role answers as it must; else what differs."""
        found, _ = self.found(role)
        wrong = []
        for key, samples in self.sure.items():
            have = found.get(key, {})
            for ts, v in samples.items():
                if ts not in have:
                    if not some_may_be_missing:
                        wrong.append(("lost", key, ts))
                elif not same(have[ts], v):
                    wrong.append(("wrong value", key, ts, v, have[ts]))
        for key, samples in found.items():
            for ts, v in samples.items():
                if ts in self.sure.get(key, {}):
                    continue
                if ts not in self.maybe.get(key, {}):
                    wrong.append(("never written" if (key, ts) not in self.gone else "deleted and back", key, ts, v))
                elif not same(self.maybe[key][ts], v):
                    wrong.append(("wrong value", key, ts, v))
        for batch in self.batches:
            there = [ts in found.get(key, {}) for key, ts in batch]
            if any(there) and not all(there) and not some_may_be_missing:
                wrong.append(("half a batch", batch[0], sum(there), len(there)))
        self.missing = sum(ts not in found.get(key, {}) for key, samples in self.sure.items() for ts in samples)
        return wrong


def same(a, b):
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


class LineHistory:
    """Lines of two tenants, in several shapes; the same promises."""

    def __init__(self, seed=1, streams=3):
        self.rng, self.streams, self.n = random.Random(seed), streams, 0
        self.start = time.time_ns() - 2 * 3600 * 10**9
        self.sure, self.maybe, self.statuses = {}, {}, {}

    def line(self, n):
        r = self.rng
        return [f'10.0.{r.randrange(256)}.{r.randrange(256)} - - "GET /item/{n} HTTP/1.1" 200 {r.randrange(10**5)}',
                json.dumps({"level": "info", "n": n, "user": f"u{r.randrange(1000)}", "ms": round(r.random(), 4)}),
                f"plain text {n} with a word {r.getrandbits(64):016x}"][n % 3]

    def step_once(self, role, lines=5):
        tenant, stream = f"tenant{self.n % 2}", str(self.n % self.streams)
        entries = []
        for _ in range(lines):
            entries.append((self.start + self.n * 1_000_000 + 7, self.line(self.n)))
            self.n += 1
        try:
            status, text = role.push(tenant, {"job": "fault", "stream": stream}, entries)
        except OSError as e:
            status, text = 0, str(e)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        (self.sure if 200 <= status < 300 else self.maybe).setdefault(tenant, {}).update(entries)
        return status, text

    def run(self, role, pushes, lines=5):
        for _ in range(pushes):
            self.step_once(role, lines)
        return self

    def count(self):
        return sum(len(s) for s in self.sure.values())

    def compare(self, role, some_may_be_missing=False):
        wrong, self.missing = [], 0
        for tenant in ("tenant0", "tenant1"):
            found = role.lines(tenant, '{job="fault"}', self.start, self.start + self.n * 1_000_000 + 10**9)
            sure, maybe = self.sure.get(tenant, {}), self.maybe.get(tenant, {})
            lost = [t for t in sure if t not in found]
            self.missing += len(lost)
            if not some_may_be_missing:
                wrong += [("lost", tenant, t) for t in lost]
            wrong += [("wrong line", tenant, t, l) for t, l in found.items() if l not in (sure.get(t), maybe.get(t))]
        return wrong


def copy(folder):
    """A copy of a stopped role's folder."""
    to = tempfile.mkdtemp(prefix="cairn-fault-")
    shutil.rmtree(to)
    shutil.copytree(folder, to)
    return to


def brief(wrong):
    return f"{len(wrong)}: {wrong[:3]}"
