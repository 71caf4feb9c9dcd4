#!/usr/bin/env python3
"""Compares what a real Prometheus and Cairn show of their configuration, byte by byte.

    config_diff.py PROMETHEUS [--cairn PROGRAM] [FILE...]

Starts both on each file (those of config_cases.py when none is given), asks for /api/v1/status/config and
/api/v1/scrape_pools/config of every pool and prints the differing lines. A file that one of them refuses is told of. Exits 1
when anything differs. Standard library only.
"""
import argparse
import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from config_cases import CASES, FILES  # noqa: E402
from stack import PROGRAM, free_port  # noqa: E402


def get(url):
    with urllib.request.urlopen(url, timeout=10) as r:
        return json.load(r)["data"]


def shown(url):
    """The whole configuration and that of each pool, as text."""
    out = {"config": get(url + "/api/v1/status/config")["yaml"]}
    pools = get(url + "/api/v1/scrape_pools")["scrapePools"] or []
    if "scrape_config" in out["config"] and not pools:
        raise KeyError("the pools are made after the configuration is shown")
    for pool in sorted(pools):
        out["pool " + pool] = get(url + "/api/v1/scrape_pools/config?" + urllib.parse.urlencode({"scrapePool": pool}))["yaml"]
    return out


def run(command, file, flags, seconds=30):
    """What the program shows of the file, or the end of its log."""
    folder, port = tempfile.mkdtemp(prefix="cairn-config-"), free_port()
    url = "http://127.0.0.1:%d" % port
    with open(folder + "/log", "wb") as log:
        args = ["--config.file=" + os.path.basename(file), "--storage.tsdb.path=" + folder, "--web.listen-address=127.0.0.1:%d" % port]
        p = subprocess.Popen(command + args + flags, stdout=log, stderr=log, cwd=os.path.dirname(file))
    try:
        until = time.monotonic() + seconds
        while p.poll() is None and time.monotonic() < until:
            try:
                return shown(url)
            except (urllib.error.URLError, OSError, KeyError):
                time.sleep(0.1)
        with open(folder + "/log", errors="replace") as f:
            return {"config": "refused: " + f.read()[-400:]}
    finally:
        p.kill()
        p.wait()
        shutil.rmtree(folder, ignore_errors=True)


def compare(o, name, file, flags):
    a, b = run([o.prometheus], file, flags), run([o.cairn, "serve", "--role=metrics"], file, flags)
    refused = [x["config"].startswith("refused: ") for x in (a, b)]
    if any(refused):
        print("%s: refused by %s\n%s" % (name, "both" if all(refused) else "the reference" if refused[0] else "Cairn", (b if refused[1] else a)["config"]))
        return refused[0] != refused[1]
    different = False
    for part in sorted(set(a) | set(b)):
        lines = list(difflib.unified_diff(a.get(part, "").splitlines(), b.get(part, "").splitlines(), "reference", "cairn", lineterm="", n=2))
        if lines or a.get(part) != b.get(part):
            different = True
            print("%s, %s:\n%s" % (name, part, "\n".join(lines)))
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--cairn", default=PROGRAM)
    o = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-config-")
    different = count = 0
    try:
        for name, text in FILES.items():
            os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        cases = [(f, os.path.abspath(f), []) for f in o.files]
        for name, (text, flags) in {} if o.files else CASES.items():
            with open(f"{folder}/{name}.yml", "w", encoding="utf-8") as f:
                f.write(text)
            cases.append((name, f"{folder}/{name}.yml", flags))
        for name, file, flags in cases:
            count += 1
            different += compare(o, name, file, flags)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("%d of %d configurations differ" % (different, count))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
