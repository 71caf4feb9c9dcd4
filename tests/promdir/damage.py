#!/usr/bin/env python3
"""Data directories of real Prometheus servers (wild_fill.py) with bits flipped, files cut off, zeroed or gone: Cairn starts in place or says
which file and what to do, imports what can be read, answers with nothing that was never sent, says when something is missing, and
alters no file.

    damage.py --seeds=1-5 --times=10"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from promdir import Server, get  # noqa: E402
from stack import PROGRAM, Cases, free_port  # noqa: E402
from wild import EVERYTHING, PROGRAMS, points, prometheus, by_series, tree  # noqa: E402
from wild_fill import Fill  # noqa: E402


class Sent(Fill):
    """Remembers everything that was ever sent."""

    def __init__(self, *args):
        super().__init__(*args)
        self.sent = {}

    def send(self, port, rows):
        for row in rows:
            mine = self.sent.setdefault(json.dumps(row["labels"], sort_keys=True), {})
            for ts, v, *_ in row["samples"]:
                mine.setdefault(ts, []).append(v)
        super().send(port, rows)


def was_sent(sent, ts, answer):
    for v in sent.get(round(float(ts) * 1000), ()):
        if isinstance(v, dict) and isinstance(answer, dict):
            if float(answer["count"]) == v["count"] and float(answer["sum"]) == v["sum"]:
                return True
        elif not isinstance(v, dict) and not isinstance(answer, dict):
            a = float(answer)
            if a == v or (a != a and v != v):
                return True
    return False


def wrong(fill, rows):
    """Samples that nobody sent; zeros that Prometheus puts at start timestamps aside."""
    found = []
    for labels, row in rows.items():
        for ts, answer in points(row).items():
            zero = float(answer["count"] if isinstance(answer, dict) else answer) == 0
            if not was_sent(fill.sent.get(labels, {}), ts, answer) and not (zero and "created-timestamp-zero-ingestion" in fill.features):
                found.append((labels, ts, str(answer)[:100]))
    return found


def harm(rng, data):
    """One damage. Returns what was done, the file, and whether the formats let it be noticed."""
    files = sorted(os.path.relpath(os.path.join(d, n), data) for d, _, names in os.walk(data) for n in names
                   if n not in ("lock", "queries.active") and "chunk_snapshot" not in d)
    kind = rng.choice(sorted({os.path.basename(os.path.dirname(f)) if len(f.split("/")[0]) != 26 else os.path.basename(f)[:5] for f in files}))
    name = rng.choice([f for f in files if (os.path.basename(os.path.dirname(f)) if len(f.split("/")[0]) != 26
                                            else os.path.basename(f)[:5]) == kind])
    path, size = f"{data}/{name}", os.path.getsize(f"{data}/{name}")
    how = rng.choice(("flip", "flip", "flip", "cut", "zero", "gone"))
    at = rng.randrange(size) if size else 0
    if how == "flip" and size:
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1 << rng.randrange(8)]))
    elif how == "cut":
        os.truncate(path, at)
    elif how == "zero" and size:
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(bytes(min(size - at, rng.choice((1, 8, 512, 40000)))))
    elif len(files) > 1:  # a folder without any would be nobody's
        how = "gone"
        os.remove(path)
    # meta.json has no checksum; what is missing at the end of a log or of its numbers looks as if it had never been there.
    logs = name.split("/")[0] in ("wal", "wbl", "chunks_head")
    told = not name.endswith("meta.json") and not (logs and how in ("gone", "cut"))
    return how, name, at, size, told


def trial(cases, fill, rng, work, data, truth, what):
    copy = f"{work}/copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(f"{work}/imported", ignore_errors=True)
    shutil.copytree(data, copy)
    done = [harm(rng, copy) for _ in range(rng.choice((1, 1, 1, 3)))]
    before, log = tree(copy), f"{work}/serve.log"
    what = f"{what} {done}"
    if os.path.exists(log):
        os.remove(log)
    port = free_port()
    rows, warnings, started = {}, [], True
    server = Server([PROGRAM, "serve", "--role=metrics", f"--config.file={work}/none.yml", f"--storage.tsdb.path={copy}",
                     f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y"], port, log)
    try:
        with server:
            answer = get(port, "/api/v1/query", query=f"{EVERYTHING}[{truth['span']}s]", time=truth["end"])
            rows, warnings = by_series(answer), answer.get("warnings", [])
    except RuntimeError:
        started = False
    with open(log, errors="replace") as f:
        text = f.read()
    missing = sum(len(set(points(r)) - set(points(rows.get(k, {})))) for k, r in truth["rows"].items())
    cases.check(f"{what}: starts, or says why", started or any(os.path.basename(d[1]) in text or d[1].split("/")[0] in text for d in done), text[-600:])
    cases.check(f"{what}: no crash", "Sanitizer" not in text and server.process.returncode in (0, 1, -15), text[-1500:])
    bad = wrong(fill, rows)
    cases.check(f"{what}: nothing that was never sent", not bad, bad[:3])
    said = warnings or "level=error" in text or "damaged" in text
    cases.check(f"{what}: {missing} missing samples are told", not missing or said or not all(d[4] for d in done), text[-800:])
    cases.check(f"{what}: nothing was altered", tree(copy) == before)
    out = subprocess.run([PROGRAM, "import", "prometheus", f"--from={copy}", f"--storage.tsdb.path={work}/imported"], capture_output=True,
                         text=True, timeout=180)
    cases.check(f"{what}: the import ends properly", out.returncode in (0, 1) and "Sanitizer" not in out.stderr, out.stdout[-500:] + out.stderr[-1500:])
    cases.check(f"{what}: the import tells of {missing} missing samples", not missing or out.returncode == 1 or not all(d[4] for d in done), out.stdout)
    return missing


def one(cases, seed, work, times):
    fill = Sent(seed, work, PROGRAMS, True)
    fill.features = [f for f in fill.features if f != "memory-snapshot-on-shutdown"]
    data = fill.run()
    start, end = fill.base // 1000 - 60, fill.t // 1000 + 600
    with open(f"{work}/none.yml", "w", encoding="utf-8") as f:
        f.write(f"storage: {{tsdb: {{out_of_order_time_window: {fill.window // 60000}m}}}}\nglobal: {{scrape_interval: 1h}}\n")
    shutil.copytree(data, f"{work}/theirs")
    truth = {"span": end - start, "end": end}
    with prometheus(fill.plan[-1], f"{work}/theirs", f"{work}/none.yml", f"{work}/theirs.log") as theirs:
        truth["rows"] = by_series(get(theirs.port, "/api/v1/query", query=f"{EVERYTHING}[{truth['span']}s]", time=end))
    print(f"seed {seed}: {fill.describe()}, {sum(len(points(r)) for r in truth['rows'].values())} samples, "
          f"{len([n for n in os.listdir(data) if len(n) == 26])} blocks", flush=True)
    cases.check(f"seed {seed}: what Prometheus has was sent", not wrong(fill, truth["rows"]), wrong(fill, truth["rows"])[:3])
    rng = random.Random(seed)
    lost = [trial(cases, fill, rng, work, data, truth, f"seed {seed}.{i}") for i in range(times)]
    print(f"  samples missing: {lost}", flush=True)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seeds", default="1-3")
    args.add_argument("--times", type=int, default=10)
    args = args.parse_args()
    first, _, last = args.seeds.partition("-")
    cases = Cases()
    for seed in range(int(first), int(last or first) + 1):
        work = tempfile.mkdtemp(prefix=f"cairn-damage-{seed}-")
        try:
            one(cases, seed, work, args.times)
        except Exception as e:  # the next seed may go well
            cases.check(f"seed {seed}", False, f"{type(e).__name__}: {e}")
        shutil.rmtree(work, ignore_errors=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
