#!/usr/bin/env python3
"""Data directories of real Prometheus servers as one finds them, drawn from seeds (wild_fill.py). From each: a Prometheus answers, Cairn
in place answers, Cairn answers after an import, and a Prometheus answers from Cairn's export; all answers must be equal.

    wild.py --seeds=1-20 [--keep] [--quick]

WILD_PROMETHEUS names the servers, oldest first, with commas between; PROMTOOL the newest promtool."""
import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from promdir import Server, cairn, get  # noqa: E402
from stack import PROGRAM, Cases, free_port  # noqa: E402
from wild_fill import Fill, version_of  # noqa: E402

PROGRAMS = os.environ.get("WILD_PROMETHEUS", os.environ.get("PROMETHEUS", "prometheus")).split(",")
PROMTOOL = os.environ.get("PROMTOOL", "promtool")
EVERYTHING = '{__name__=~".+"}'
FUNCTIONS = ("rate({0}[7m])", "increase({0}[23m])", "resets({0}[31m])", "changes({0}[31m])", "count_over_time({0}[11m])",
             "last_over_time({0}[1h])", "{0}", "{0} offset 13m", "histogram_count({0})", "histogram_quantile(0.9, rate({0}[17m]))",
             "sum by (__name__) (count_over_time({0}[19m]))", "absent({0})", "max_over_time({0}[9m])", "timestamp({0})",
             "sum by (job) (increase({0}[15m]))", "histogram_avg({0})")
OLD_FUNCTIONS = ("count_over_time({0}[11m])", "{0}", "{0} offset 13m", "absent({0})", "timestamp({0})")
SELECTORS = (EVERYTHING, '{job="a"}', '{instance=~"h[12].*"}', '{__name__=~"hist.*"}', '{__name__=~"counter_.*", job!="b"}', '{odd!=""}',
             '{pod=~"pod-.*1"}')


def tree(data):
    """A hash and the time of every file but Cairn's."""
    found = {}
    for folder, folders, names in os.walk(data):
        if folder == data and "cairn" in folders:
            folders.remove("cairn")
        for name in folders + names:
            path = os.path.join(folder, name)
            content = None
            if not os.path.isdir(path):
                with open(path, "rb") as f:
                    content = hashlib.sha256(f.read()).hexdigest()
            found[os.path.relpath(path, data)] = (content, os.stat(path).st_mtime_ns if content else 0)
    return found


def prometheus(program, data, config, log, *flags):
    port = free_port()
    features = "exemplar-storage" + ("" if version_of(program) >= (3, 0) else ",native-histograms")
    return Server([program, f"--config.file={config}", f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=10y",
                   f"--web.listen-address=127.0.0.1:{port}", f"--enable-feature={features}", *flags], port, log)


def by_series(answer, key="metric"):
    data = answer.get("data")
    if isinstance(data, str):
        return {"error": data}
    rows = data["result"] if isinstance(data, dict) else data
    if isinstance(rows, list) and rows and not isinstance(rows[0], dict):
        return {str(i): r for i, r in enumerate(rows)}
    return {json.dumps(r.get(key, r), sort_keys=True): {k: v for k, v in r.items() if k != key} for r in rows}


def points(row):
    return {p[0]: p[1] for p in row.get("values", []) + row.get("histograms", [])}


def difference(want, got):
    """In words, for a person; empty when equal."""
    if want == got:
        return ""
    lines = [f"{len(want)} rows wanted, {len(got)} got"]
    if isinstance(want, set):
        return f"{lines[0]}: missing {sorted(want - got)[:5]}, unwanted {sorted(got - want)[:5]}"
    for k in sorted(set(want) | set(got)):
        w, g = want.get(k), got.get(k)
        if w == g:
            continue
        if w is None or g is None:
            row = w or g
            lines.append(f"{'unwanted' if w is None else 'missing'}: {k[:300]} {len(points(row)) if isinstance(row, dict) else row} points")
        elif isinstance(w, dict) and ("values" in w or "histograms" in w):
            a, b = points(w), points(g)
            odd = [t for t in sorted(set(a) | set(b), key=float) if a.get(t) != b.get(t)]
            lines.append(f"{k[:300]}: {len(a)} and {len(b)} points, {len(odd)} differ, from {odd[:1]} to {odd[-1:]}: "
                         f"{str(a.get(odd[0]))[:300] if odd else ''} | {str(b.get(odd[0]))[:300] if odd else ''}")
        else:
            lines.append(f"{k[:300]}: {str(w)[:300]} | {str(g)[:300]}")
    return "\n    ".join(lines[:6])


class Asking:
    """The questions of a seed; asked once of the one who is right, then of others."""

    def __init__(self, fill, start, end):
        rng = random.Random(fill.rng.random())
        self.new = version_of(fill.plan[-1]) >= (3, 0)
        self.start, self.end, self.deleted = start + 0.513, end, fill.deleted
        span = int(end - start)
        self.questions = [("/api/v1/query", {"query": f"{EVERYTHING}[{span}s]", "time": end})]
        self.side = [("/api/v1/query_exemplars", {"query": EVERYTHING, "start": self.start, "end": end})]
        for path in ("/api/v1/labels", "/api/v1/label/__name__/values", "/api/v1/label/pod/values", "/api/v1/label/odd/values"):
            self.questions.append((path, {"start": self.start, "end": end}))
        self.questions.append(("/api/v1/series", {"match[]": EVERYTHING, "start": self.start, "end": end}))
        for s in SELECTORS[1:]:
            self.questions.append(("/api/v1/series", {"match[]": s, "start": self.start, "end": end}))
            self.questions.append(("/api/v1/label/pod/values", {"match[]": s, "start": self.start, "end": end}))
        for _ in range(6):
            at = round(rng.uniform(start, end)) + 0.513
            self.questions.append(("/api/v1/query", {"query": f"{rng.choice(SELECTORS)}[{rng.randint(60, 7200)}s]", "time": at}))
        for f in FUNCTIONS if self.new else OLD_FUNCTIONS:
            # After a deletion Prometheus takes the first histogram that is left for no reset, whatever it counts.
            floats = fill.deleted and any(word in f for word in ("rate", "increase", "resets"))
            a = round(rng.uniform(start, end)) + 0.513
            self.questions.append(("/api/v1/query_range", {"query": f.format('{__name__=~"counter_.*"}' if floats else rng.choice(SELECTORS)), "start": a,
                                                           "end": min(end, a + rng.randint(600, 20000)), "step": rng.choice((17, 61, 307))}))

    def ask(self, port, side=True):
        return [(path, params, by_series(get(port, path, **params), "seriesLabels" if "exemplars" in path else "metric"))
                for path, params in self.questions + (self.side if side else [])]


def compare(cases, what, wanted, port, asking, side=True):
    got = asking.ask(port, side)
    there = {k for k in wanted[0][2]}
    for (path, params, w), (_, _, g) in zip(wanted, got):
        if asking.deleted and path == "/api/v1/series":  # Prometheus lists a deleted series of its head until it forgets it
            w = {k: v for k, v in w.items() if k in there or k in g}
        elif asking.deleted and "label" in path:
            w = {k: v for k, v in w.items() if v in g.values()} if set(g.values()) <= set(w.values()) else w
            w, g = set(w.values()), set(g.values())
        if "runtime error" in str(w):  # of Prometheus 3.14, now and then
            continue
        diff = difference(w, g)
        cases.check(f"{what}: {path} {params}", not diff, diff)
    return got


def litter(rng, data):
    """What crashes and people leave behind."""
    blocks = sorted(n for n in os.listdir(data) if len(n) == 26)
    if blocks and rng.random() < 0.5:
        half = f"{data}/{rng.choice(blocks)}"
        name = half[:-3] + "ZZZ" + rng.choice((".tmp-for-creation", ".tmp-for-deletion", ".tmp"))
        shutil.copytree(half, name)
        if os.path.exists(f"{name}/meta.json") and rng.random() < 0.7:
            os.remove(f"{name}/meta.json")
    if rng.random() < 0.5:
        open(f"{data}/lock", "a", encoding="utf-8").close()
    if rng.random() < 0.3 and os.path.isdir(f"{data}/wal"):
        os.makedirs(f"{data}/wal/checkpoint.00000099.tmp", exist_ok=True)


def dumped(folder, kind="dump"):
    out = subprocess.run([PROMTOOL, "tsdb", kind, folder], capture_output=True, text=True, timeout=120)
    # 2.42 leaves the end of a series of histograms a float when it reads its log again, 3.14 does not.
    return out.returncode, sorted(out.stdout.replace("{count:0, sum:NaN}", "NaN").splitlines()), out.stderr


def export_and_back(cases, work, imported, wanted, asking, program, origin, late):
    out = subprocess.run([PROGRAM, "export", "--prometheus-blocks", f"--storage.tsdb.path={imported}", f"--to={work}/export",
                          *(["--start-timestamps"] if asking.new else [])], capture_output=True, text=True, timeout=120)
    if not wanted[0][2]:
        return
    cases.check("the export succeeds", out.returncode == 0, out.stdout + out.stderr)
    for args in (["list", f"{work}/export"], ["analyze", f"{work}/export"]):
        out = subprocess.run([PROMTOOL, "tsdb", *args], capture_output=True, text=True, timeout=60)
        cases.check(f"promtool {args[0]} reads the export", out.returncode == 0 and not out.stderr, out.stderr)
    got = dumped(f"{work}/export")
    want = got if late else dumped(origin)  # promtool does not see all of a folder with late samples
    same = want[1] == got[1]
    only = (sorted(set(want[1]) - set(got[1]))[:2], sorted(set(got[1]) - set(want[1]))[:2]) if not same else ""
    cases.check("promtool dumps the same of origin and export", same and got[0] == 0,
                (want[0], got[0], len(want[1]), len(got[1]), str(only)[:900], want[2][-300:], got[2][-300:]))
    with prometheus(program, f"{work}/export", f"{work}/none.yml", f"{work}/export.log") as server:
        compare(cases, "exported", wanted, server.port, asking, side=False)


def back_and_forth(cases, fill, work, data, start):
    """Prometheus runs in the folder again after Cairn did, and deletes nothing."""
    fill.deletes = False
    fill.phase(fill.plan[-1])
    before = tree(data)
    shutil.copytree(data, f"{work}/again", copy_function=shutil.copy, ignore=lambda d, names: ["cairn"] if d == data else [])
    asking = Asking(fill, start, fill.t // 1000 + 600)
    with prometheus(fill.plan[-1], f"{work}/again", f"{work}/none.yml", f"{work}/again.log") as theirs:
        wanted = asking.ask(theirs.port)
    with cairn(data, f"{work}/none.yml", f"{work}/in_place.log") as ours:
        compare(cases, "in place, after Prometheus ran again", wanted, ours.port, asking, side=False)  # Cairn keeps exemplars longer
    cases.check("in place, after Prometheus ran again: nothing was altered", tree(data) == before)


def one(cases, seed, work, quick):
    began = time.monotonic()
    fill = Fill(seed, work, PROGRAMS, quick)
    data = fill.run()
    litter(fill.rng, data)
    start, end = fill.base // 1000 - 60, fill.t // 1000 + 600
    with open(f"{work}/none.yml", "w", encoding="utf-8") as f:
        f.write(f"storage: {{tsdb: {{out_of_order_time_window: {fill.window // 60000}m}}}}\nglobal: {{scrape_interval: 1h}}\n")
    before = tree(data)
    shutil.copytree(data, f"{work}/theirs", copy_function=shutil.copy)
    asking = Asking(fill, start, end)
    program = fill.plan[-1]
    with prometheus(program, f"{work}/theirs", f"{work}/none.yml", f"{work}/theirs.log") as theirs:
        wanted = asking.ask(theirs.port)
    rows = wanted[0][2].values()
    total = sum(len(r.get("values", ())) for r in rows), sum(len(r.get("histograms", ())) for r in rows)
    blocks = [n for n in os.listdir(data) if len(n) == 26]
    print(f"seed {seed}: {fill.describe()}\n  {len(rows)} series, {total[0]} floats, {total[1]} histograms, {len(blocks)} blocks, "
          f"{sorted(n for n in os.listdir(data) if len(n) != 26)}, wal {sorted(os.listdir(data + '/wal')) if os.path.isdir(data + '/wal') else ''}"
          f" refused {fill.refused}", flush=True)
    out = subprocess.run([PROGRAM, "import", "prometheus", f"--from={data}", f"--storage.tsdb.path={work}/imported"], capture_output=True,
                         text=True, timeout=120)
    cases.check("cairn import brings everything in", out.returncode == 0, out.stdout + out.stderr)
    cases.check("the import altered nothing", tree(data) == before)
    with cairn(f"{work}/imported", f"{work}/none.yml", f"{work}/imported.log") as ours:
        compare(cases, "imported", wanted, ours.port, asking)
    for how in ("in place", "in place, second start"):
        with cairn(data, f"{work}/none.yml", f"{work}/in_place.log") as ours:
            compare(cases, how, wanted, ours.port, asking)
        after = tree(data)
        cases.check(f"{how}: nothing was altered", after == before, [k for k in set(before) | set(after) if before.get(k) != after.get(k)][:5])
    if fill.rng.random() < 0.4 and not fill.agent:
        back_and_forth(cases, fill, work, data, start)
    export_and_back(cases, work, f"{work}/imported", wanted, asking, program, f"{work}/theirs", fill.window)
    print(f"  {time.monotonic() - began:.0f} s, checks so far: {cases.passed} good, {cases.failed} bad", flush=True)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seeds", default="1-3")
    args.add_argument("--keep", action="store_true")
    args.add_argument("--quick", action="store_true")
    args = args.parse_args()
    first, _, last = args.seeds.partition("-")
    cases = Cases()
    for seed in range(int(first), int(last or first) + 1):
        work = tempfile.mkdtemp(prefix=f"cairn-wild-{seed}-")
        failed = cases.failed
        try:
            one(cases, seed, work, args.quick)
        except Exception as e:  # the next seed may go well
            cases.check(f"seed {seed}", False, f"{type(e).__name__}: {e}")
        if args.keep or (cases.failed > failed and os.environ.get("WILD_KEEP_FAILED")):
            print(f"kept {work}", flush=True)
        else:
            shutil.rmtree(work, ignore_errors=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
