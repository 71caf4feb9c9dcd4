#!/usr/bin/env python3
"""Kills a loaded Cairn N times (default 10) with SIGKILL and finds every acknowledged sample and line again.

Four writers send remote write and pushes all the time; what was acknowledged with a 2xx is remembered. After each kill
the program starts again on the same data; after the last one everything remembered must be answered by queries. Prints
the seed; CAIRN_TEST_SEED repeats a run's timing as far as the machine allows.
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import Cases, Stack  # noqa: E402

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
SERIES_PER_WRITER = 20


class Writer(threading.Thread):
    """Sends one request after the other; remembers what was acknowledged."""

    def __init__(self, stack, number):
        super().__init__(daemon=True)
        self.stack, self.number, self.stop_now = stack, number, False
        self.counter, self.acknowledged = 0, []

    def run(self):
        while not self.stop_now:
            try:
                n = self.counter
                self.counter += 1
                if self.send(n):
                    self.acknowledged.append(n)
            except OSError:
                time.sleep(0.02)


class SampleWriter(Writer):
    base = int(time.time() * 1000) - 3_000_000

    def send(self, n):
        ts = self.base + n
        return self.stack.remote_write([
            ({"__name__": "crash_total", "job": "crash", "instance": str(self.number), "series": str(s)},
             [(ts, float(n * 100 + s))]) for s in range(SERIES_PER_WRITER)]) in (200, 204)


class LineWriter(Writer):
    base = time.time_ns() - 3_000 * 10**9

    def send(self, n):
        return self.stack.push_lines({"job": "crash", "writer": str(self.number)},
                                     [(self.base + n * 1000, f"line {self.number} {n}")]) in (200, 204)


def missing_samples(stack, writer):
    """Acknowledged samples that no query finds, by a range selector over each chunk of time."""
    found = {}
    last = writer.counter
    query = f'crash_total{{instance="{writer.number}"}}'
    for at in range(0, last + 1, 20000):
        end = writer.base + min(at + 20000, last + 1)
        for series in stack.instant(f"{query}[20001ms]", time=f"{end / 1000:.3f}"):
            kept = found.setdefault(int(series["metric"]["series"]), {})
            for t, v in series["values"]:
                kept[round(t * 1000) - writer.base] = float(v)
    lost = []
    for n in writer.acknowledged:
        for s in range(SERIES_PER_WRITER):
            if found.get(s, {}).get(n) != float(n * 100 + s):
                lost.append((n, s))
    return lost


def missing_lines(stack, writer):
    found, start = set(), writer.base
    while True:
        data = stack.get_json("logs", "/loki/api/v1/query_range", query=f'{{job="crash", writer="{writer.number}"}}',
                              start=start, end=writer.base + 10**12, limit=5000, direction="forward")
        entries = [e for stream in data["data"]["result"] for e in stream["values"]]
        fresh = {e[1] for e in entries} - found
        found |= fresh
        if len(entries) < 5000 or not fresh:
            break
        start = max(int(e[0]) for e in entries)
    return [n for n in writer.acknowledged if f"line {writer.number} {n}" not in found]


def main():
    seed = int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 10**9))
    print(f"seed {seed}")
    rng, cases = random.Random(seed), Cases()
    with Stack(demo=True) as stack:
        writers = [SampleWriter(stack, 0), SampleWriter(stack, 1), LineWriter(stack, 2), LineWriter(stack, 3)]
        for w in writers:
            w.start()
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.3, 2.0))
            stack.kill()
            cases.run("starts again", stack.start)
        time.sleep(1)
        for w in writers:
            w.stop_now = True
        for w in writers:
            w.join(30)
        for w in writers:
            find = missing_samples if isinstance(w, SampleWriter) else missing_lines
            lost = find(stack, w)
            kind = type(w).__name__
            cases.check(f"{kind} {w.number} wrote something", len(w.acknowledged) > 10, str(len(w.acknowledged)))
            cases.check(f"{kind} {w.number} keeps every one of {len(w.acknowledged)}", not lost,
                        f"{len(lost)} lost, first {lost[:5]}")
            print(f"{kind} {w.number}: {len(w.acknowledged)} acknowledged, {len(lost)} lost")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
