#!/usr/bin/env python3
"""The query list of the Prometheus compliance project, asked of a real Prometheus and of Cairn over the same data.

    compliance.py PROMETHEUS CHECKOUT [--cairn PROGRAM] [--minutes N] [--live HOST:PORT ...]

CHECKOUT is a clone of github.com/prometheus/compliance: promql/promql-test-queries.yml and the lists of variants in
promql/testcases/expand.go are read from there. Both servers are started empty and get an hour of what its demo service
would have exposed (three instances every 5 s, late and missing scrapes, restarts) by remote write; every query is asked
as a range query, as the project's tester asks it, and once more as an instant query. Answers must be equal to the last
bit, errors included. Prints every difference and exits 1 when there is any. Standard library only.
"""
import argparse
import http.server
import itertools
import json
import os
import random
import re
import sys
import threading
import time
import urllib.request

from pair import PROGRAM, Pair
from promql_diff import STALE, ask, describe, normal, push, same, unstable

CONFIG = "global: {{}}\nstorage: {{tsdb: {{out_of_order_time_window: 3h}}}}\n"
SNAPSHOT_SECONDS = 5


def variants(checkout):
    """{"range": ["1s", ...], ...} out of the tester's source."""
    with open(os.path.join(checkout, "promql/testcases/expand.go"), encoding="utf-8") as f:
        text = f.read()
    table = text[text.index("testVariantArgs") :]
    table = table[: table.index("\n}\n")]
    return {name: re.findall(r'"([^"]*)"', values) for name, values in re.findall(r'"(\w+)":\s*\{([^}]*)\}', table)}


def queries(checkout):
    """Every query of the list, its templates filled in with all combinations."""
    with open(os.path.join(checkout, "promql/promql-test-queries.yml"), encoding="utf-8") as f:
        text = f.read()
    known = variants(checkout)
    out = []
    for block in re.split(r"\n\s*(?:- )?query:", text)[1:]:
        line, _, rest = block.partition("\n")
        line = line.strip()
        quoted = re.match(r"'((?:[^']|'')*)'|\"((?:[^\"\\]|\\.)*)\"", line)
        query = quoted.group(1).replace("''", "'") if quoted and quoted.group(1) is not None else json.loads(line) if quoted else line
        args = re.search(r"variant_args:\s*\[([^\]]*)\]", rest)
        names = [a.strip().strip("'\"") for a in args.group(1).split(",")] if args else []
        for values in itertools.product(*(known[n] for n in names)):
            filled = query
            for name, value in zip(names, values):
                filled = re.sub(r"\{\{\s*\.%s\s*\}\}" % name, lambda _, v=value: v, filled)
            out.append(filled)
    return out


def demo_data(rng, start, minutes):
    """What three instances of the demo service say, one scrape every 5 s."""
    series = {}

    def put(name, labels, t, v):
        series.setdefault((name, tuple(sorted(labels.items()))), []).append((t, v))

    bounds = ["0.0001", "0.00015000000000000001", "0.00022500000000000002", "0.0025628906250000003", "0.1", "1", "+Inf"]
    for k in range(3):
        base = {"instance": "demo.promlabs.com:1000%d" % k, "job": "demo"}
        cpu, counts, total = dict.fromkeys(("idle", "system", "user"), 1000.0 * k), {}, {}
        down = 0
        for i in range(minutes * 12):
            t = start + i * 5000 + rng.randrange(-30, 30)
            if rng.random() < 0.004:
                down = rng.randrange(1, 40)
                cpu, counts, total = dict.fromkeys(cpu, 0.0), {}, {}
            if down:
                down -= 1
                continue
            put("up", base, t, 1.0)
            put("demo_num_cpus", base, t, float(4 * (k + 1) if k < 2 else 4))
            put("demo_batch_last_success_timestamp_seconds", base, t, float(int((t - rng.randrange(0, 60000)) / 1000)))
            put("demo_disk_usage_bytes", base, t, 2.5e10 + 3e4 * i + rng.uniform(0, 1e6))
            put("demo_disk_total_bytes", base, t, 1e11)
            if (i // 60) % 2 == 0:
                put("demo_intermittent_metric", base, t, 1.0)
            elif (i // 60) % 2 and i % 60 == 0:
                put("demo_intermittent_metric", base, t, STALE)
            for mode in cpu:
                cpu[mode] += rng.uniform(0, 5)
                put("demo_cpu_usage_seconds_total", dict(base, mode=mode), t, cpu[mode])
            for kind, size in (("buffers", 2e9), ("cached", 1e9), ("free", 4e9), ("used", 3e9)):
                put("demo_memory_usage_bytes", dict(base, type=kind), t, size * (1 + 0.1 * k) + rng.uniform(-1e8, 1e8))
            for path, method, status in itertools.product(("/api/bar", "/api/foo", "/api/nonexistent"), ("GET", "POST"), ("200", "500")):
                labels = dict(base, path=path, method=method, status=status)
                key = (path, method, status)
                have = counts.setdefault(key, [0.0] * len(bounds))
                for _ in range(rng.randrange(0, 4)):
                    at = rng.randrange(len(bounds))
                    have[at:] = [n + 1 for n in have[at:]]
                    total[key] = total.get(key, 0.0) + rng.uniform(0, 0.5)
                for le, n in zip(bounds, have):
                    put("demo_api_request_duration_seconds_bucket", dict(labels, le=le), t, n)
                put("demo_api_request_duration_seconds_count", labels, t, have[-1])
                put("demo_api_request_duration_seconds_sum", labels, t, total.get(key, 0.0))
    return [(dict(labels, __name__=name), samples) for (name, labels), samples in series.items()]


class Snapshot(http.server.ThreadingHTTPServer):
    """What a target said at the start of this five seconds, every sample with that time."""

    def __init__(self, target, before):
        super().__init__(("127.0.0.1", 0), Page)
        self.target, self.lock, self.slot, self.body = target, threading.Lock(), 0, b""
        self.before, self.asked, self.opens = before, set(), None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def open_to(self, scraper):
        """From the five seconds after both have asked on, and after the target before."""
        slot = int(time.time()) // SNAPSHOT_SECONDS
        self.asked.add(scraper)
        if self.opens is None and len(self.asked) == 2 and (not self.before or self.before.opens and slot >= self.before.opens):
            self.opens = slot + 1
        return self.opens is not None and slot >= self.opens

    def text(self):
        with self.lock:
            slot = int(time.time()) // SNAPSHOT_SECONDS
            if slot != self.slot:
                with urllib.request.urlopen(f"http://{self.target}/metrics", timeout=5) as r:
                    lines = r.read().decode().splitlines()
                stamp = " %d" % (slot * SNAPSHOT_SECONDS * 1000)
                self.body = "".join(x + ("" if x.startswith("#") else stamp) + "\n" for x in lines).encode()
                self.slot = slot
            return self.body


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802, the base class's name
        if not self.server.open_to(self.headers["User-Agent"]):
            self.send_error(503, "not yet")
            return
        body = self.server.text()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def live_config(targets):
    """Both programs' configuration: the targets under the names that the list of queries knows."""
    out = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n  - job_name: demo\n    static_configs:\n"
    page = None
    for i, target in enumerate(targets):
        page = Snapshot(target, page)
        out += f"      - {{targets: ['127.0.0.1:{page.server_port}'], labels: {{instance: 'demo.promlabs.com:{10000 + i}'}}}}\n"
    return out.replace("{", "{{").replace("}", "}}")


def written(urls, minutes):
    """Writes an hour of data to both; its end."""
    start = int(time.time()) - minutes * 60 - 900
    data = demo_data(random.Random(1), start * 1000, minutes)
    for url in urls:
        for i in range(0, len(data), 100):
            push(url, data[i : i + 100])
    return start + minutes * 60


def scraped(minutes):
    """Waits while both scrape; the end of what both have."""
    time.sleep(minutes * 60)
    return int(time.time()) - 4 * SNAPSHOT_SECONDS


def run(pair, o):
    urls = [pair.url(n) for n in ("reference", "cairn")]
    end = scraped(o.minutes) if o.live else written(urls, o.minutes)
    different, varied, answered = 0, 0, 0
    todo = queries(o.checkout)
    for query in todo:
        for path, params in (("/api/v1/query_range", {"query": query, "start": str(end - 600), "end": str(end), "step": "10"}),
                             ("/api/v1/query", {"query": query, "time": str(end - 7)})):
            a, b = (normal(*ask(u, path, params), path.endswith("range")) for u in urls)
            answered += a["status"] == 200 and bool(a["result"])
            if same(a, b):
                continue
            if unstable(urls[0], path, params, path.endswith("range"), a, b):
                varied += 1
                continue
            different += 1
            print("%s %s\n%s" % (path, query, describe(a, b)))
    print("%d queries of the list, asked twice: %d answers with data, %d differ; %d more have several answers at the reference" %
          (len(todo), answered, different, varied))
    print("%d passed, %d failed" % (2 * len(todo) - different, different))
    return 1 if different else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus")
    parser.add_argument("checkout")
    parser.add_argument("--cairn", default=PROGRAM)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--live", nargs="+", metavar="HOST:PORT", help="demo services that both scrape")
    o = parser.parse_args()
    config = live_config(o.live) if o.live else CONFIG
    with Pair(o.prometheus, o.cairn, config=config, features="") as pair:
        return run(pair, o)


if __name__ == "__main__":
    sys.exit(main())
