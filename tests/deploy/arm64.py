#!/usr/bin/env python3
"""The arm64 program under qemu's user emulation: it answers as the amd64 one does. Prints "N passed, N failed".

Usage: arm64.py PROGRAM SYSROOT
"""
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/tests/lib")
import stack  # noqa: E402

CONFIGS = [("metrics", "prometheus.yml"), ("logs", "loki-config.yml"), ("agent", "promtail-config.yml")]
# What a client computes with: each gives the same number on every processor.
QUERIES = ["sum(rate(requests_total[1m]))", "quantile(0.9, requests_total) / 7", "stddev(requests_total)", "exp(vector(1.5)) + ln(vector(3)) * sin(vector(2))",
           'count({__name__=~"requests.*", path!="/b"})']


def said(runner, *args):
    done = subprocess.run([*runner, *args], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def answers(program, start):
    """What the program answers to QUERIES over samples that it was sent."""
    stack.PROGRAM = program
    with stack.Stack(demo=False) as s:
        series = [({"__name__": "requests_total", "path": p, "job": "j", "instance": "i"},
                   [((start + 15 * n) * 1000, n * step + 0.1) for n in range(20)]) for p, step in (("/a", 3.7), ("/b", 11.3), ("/c", 0.9))]
        status = s.remote_write(series)
        if status not in (200, 204):
            raise RuntimeError(f"remote write: {status}")
        return [s.instant(q, time=start + 240) for q in QUERIES]


def scrapes_and_follows(s):
    s.wait_for("a scrape of the application", lambda: s.instant("sum(flask_app_request_count) > 0"))
    s.wait_for("two targets that are up", lambda: s.instant("sum(up) == 2"))
    s.wait_for("a line of its log", lambda: s.get_json("logs", "/loki/api/v1/query_range", query='{filename=~".*app.log"}')["data"]["result"])


def main():
    program, sysroot = (os.path.abspath(p) for p in sys.argv[1:])
    runner = ["qemu-aarch64-static", "-L", sysroot, program]
    native = stack.PROGRAM
    cases = stack.Cases()
    head = open(program, "rb").read(20)
    cases.check("it is an ELF file for AArch64", head[:5] == b"\x7fELF\x02" and head[18:20] == b"\xb7\x00", head)
    for args in (["version"], ["check", "--help"]):
        cases.check(f"cairn {' '.join(args)} says the same", said(runner, *args) == said([native], *args), said(runner, *args))
    for role, name in CONFIGS:
        args = ["check", f"--role={role}", f"{ROOT}/examples/classic/{name}"]
        cases.check(f"cairn check {name}", said(runner, *args)[0] == 0, said(runner, *args))
    with tempfile.TemporaryDirectory() as folder:
        wrapper = f"{folder}/cairn"
        with open(wrapper, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexec " + " ".join(runner) + ' "$@"\n')
        os.chmod(wrapper, 0o755)
        start = int(time.time()) // 15 * 15 - 600
        try:
            ours, theirs = answers(wrapper, start), answers(native, start)
            for query, a, b in zip(QUERIES, ours, theirs):
                cases.check(query, a and a == b, f"{json.dumps(a)} is not {json.dumps(b)}")
        except (RuntimeError, OSError) as e:
            cases.check("it takes samples and answers queries", False, e)
        stack.PROGRAM = wrapper
        try:
            with stack.Stack() as s:
                cases.run("it scrapes the application and follows its log", scrapes_and_follows, s)
                cases.check("/metrics of its own", b"cairn_scrapes_total" in s.get("metrics", "/metrics")[1])
        except (RuntimeError, OSError) as e:
            cases.check("the whole stack starts", False, e)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
