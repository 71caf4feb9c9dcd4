#!/usr/bin/env python3
"""The memory promise of a real process, seen from outside: under more series and larger queries than fit, its anonymous
memory stays below the promise, series that are known go on, and what is refused is refused by name and counted.

    memory.py    prints "N passed, N failed"
"""
import json
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, Cases, Stack, snappy_literal, write_request  # noqa: E402

PROMISE_MIB = 48
KNOWN = 200          # series that are there before memory is short
BATCH = 1000         # new series of a request
REQUESTS_MAX = 600
QUERIES = ["{__name__=~\".+\"}", "sort(churn)", "sum by (id) (churn)", "count_values(\"v\", churn)", "churn + on(id) churn",
           "label_replace(churn, \"x\", \"$1\", \"id\", \"(.*)\")"]


class Node(Stack):
    """The metrics role alone."""

    def command(self):
        return [PROGRAM, "serve", "--role=metrics", f"--memory={PROMISE_MIB}MiB", f"--config.file={self.dir}/prometheus.yml",
                f"--storage.tsdb.path={self.dir}/data", f"--web.listen-address=127.0.0.1:{self.ports['metrics']}",
                "--web.enable-remote-write-receiver"]

    def start(self):
        with open(f"{self.dir}/prometheus.yml", "w") as f:
            f.write("global: {scrape_interval: 1h}\n")
        super().start()

    def wait_ready(self, seconds=60):
        def ready():
            try:
                return self.process.poll() is not None or self.get("metrics", "/-/ready")[0] == 200
            except OSError:
                return False
        self.wait_for("the metrics role", ready, seconds)

    def anonymous_kib(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))

    def figures(self):
        text = self.get("metrics", "/metrics")[1].decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^(cairn_[^ #]+) (\S+)$", text, re.M)}

    def write(self, series):
        """(status, text)"""
        status, body, _ = self.request("metrics", "/api/v1/write", body=snappy_literal(write_request(series)), method="POST",
                                       headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                                                "X-Prometheus-Remote-Write-Version": "0.1.0"})
        return status, body.decode(errors="replace")


class Watch(threading.Thread):
    """The highest anonymous memory that was seen."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.peak_kib, self.over = node, 0, False

    def run(self):
        while not self.over:
            try:
                self.peak_kib = max(self.peak_kib, self.node.anonymous_kib())
            except (OSError, StopIteration):
                return
            time.sleep(0.005)


def known(node, ts):
    """One sample for each of the known series. (status, text)"""
    return node.write([({"__name__": "known", "id": str(i)}, [(ts, float(ts))]) for i in range(KNOWN)])


def churn(node, n, ts):
    return node.write([({"__name__": "churn", "job": f"j{n % 50}", "id": f"{n}-{i}", "more": "x" * 40}, [(ts, 1.0)])
                       for i in range(BATCH)])


def fill(node, ts):
    """New series until some are refused. The refusal's text, or None."""
    for n in range(REQUESTS_MAX):
        status, text = churn(node, n, ts)
        if status == 400:
            return text
        if status not in (200, 204):
            raise RuntimeError(f"{status} {text}")
    return None


def ask(node, query, now):
    """(status, the answer's error)"""
    status, body = node.get("metrics", "/api/v1/query_range", query=query, start=now - 3000, end=now, step=1)
    return status, json.loads(body).get("error", "") if status != 200 else ""


def queries(cases, node, now):
    """Large queries, several at once: each is answered or refused by name."""
    answers = []

    def some(part):
        for q in QUERIES[part:] + QUERIES[:part]:
            try:
                answers.append((q, *ask(node, q, now)))
            except OSError as e:
                answers.append((q, 0, str(e)))
    threads = [threading.Thread(target=some, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    odd = [a for a in answers if a[1] != 200 and not (a[1] == 422 and "memory" in a[2])]
    cases.check("every query is answered or refused for want of memory", not odd, odd[:3])
    named = [a for a in answers if a[1] == 422 and "setting memory" in a[2]]
    cases.check("a query that does not fit names the setting", named, answers[:6])
    figures = node.figures()
    cases.check("refused queries are counted", figures["cairn_memory_queries_refused_total"] >= 1, figures)
    cases.check("a small query is answered all the same", len(node.instant("known{id=\"7\"}", time=now - 600)) == 1)


def ledgers(cases, node):
    f = node.figures()
    parts = {k.split('"')[1]: v for k, v in f.items() if k.startswith("cairn_memory_bytes{")}
    cases.check("the promise is shown", f["cairn_memory_promise_bytes"] == PROMISE_MIB << 20, f)
    cases.check("each purpose is shown", {"heads", "log", "queries", "query_pool", "range_cache", "series_cache", "block_caches", "other"} <=
                set(parts), parts)
    cases.check("the heads are most of what is counted", parts["heads"] > (PROMISE_MIB << 20) / 4, parts)
    shown, real = f["cairn_memory_anonymous_bytes"], node.anonymous_kib() * 1024
    cases.check("what is shown is what the kernel says", abs(shown - real) < 4 << 20, (shown, real))
    cases.check("the parts make up the whole", abs(sum(parts.values()) - shown) < 1 << 20 or parts["other"] == 0, (parts, shown))
    refused = node.get("metrics", "/metrics")[1].decode()
    cases.check("refused samples are counted by reason",
                re.search(r'^\S*refused\S*\{reason="limit"\} [1-9]', refused, re.M), refused[:200])


def main():
    cases = Cases()
    with Node(demo=False) as node:
        now = int(time.time())
        ts = (now - 1200) * 1000
        watch = Watch(node)
        watch.start()
        status, text = known(node, ts)
        cases.check("the known series are stored", status in (200, 204), text)
        refusal = fill(node, ts)
        cases.check("new series are refused in the end", refusal is not None)
        cases.check("the refusal names setting, figures and cure", refusal and "setting memory" in refusal and "MiB" in refusal
                    and "raise it" in refusal, refusal)
        cases.run("ledgers", ledgers, cases, node)
        for i in range(1, 40):
            status, text = known(node, ts + i * 15000)
            cases.check("known series go on", status in (200, 204), (i, status, text))
            if i % 10 == 0:
                churn(node, 10_000 + i, ts)
        cases.run("queries", queries, cases, node, now)
        status, text = known(node, ts + 41 * 15000)
        cases.check("known series go on after the queries", status in (200, 204), (status, text))
        watch.over = True
        watch.join()
        print(f"peak {watch.peak_kib / 1024:.1f} of {PROMISE_MIB} MiB")
        cases.check("anonymous memory stayed below the promise", watch.peak_kib < PROMISE_MIB * 1024, watch.peak_kib)
    return cases.finish()


sys.exit(main())
