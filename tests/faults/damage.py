#!/usr/bin/env python3
"""Faults 3, 4, 6, 7 and 10: files that are damaged, missing, too many, renamed, empty or not ours to read.

A store with blocks, series definitions, a log in several runs and deletions is made once; each case damages a copy of it and
starts. Whatever was hit: no value is ever wrong, nothing that was deleted is back, what is lost is told in log and metric,
and everything else is served. `damage.py long` flips more bits of each region.
"""
import glob
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile

from faulty import Cases, LineHistory, Logs, Metrics, SampleHistory, brief, copy, random

LONG = "long" in sys.argv[1:]
FLIPS = 12 if LONG else 1


def truncations(role):
    return role.metric("prometheus_tsdb_head_truncations_total") or 0


def make_metrics(to):
    """Three flushes, of which the last ones trim the log to definitions in a file; deletions; an open head."""
    with Metrics() as role:
        h = SampleHistory()
        h.run(role, 10).fill(role, 1500)
        h.delete(role, 1, h.start + 15_000 * 5, h.start + 15_000 * 400)
        for n in (1, 2, 3):
            role.wait_for("a flush", lambda n=n: truncations(role) >= n)
            h.run(role, 8)
            if n < 3:
                h.fill(role, 560)
        wrong = h.compare(role)
        role.kill()
        shutil.copytree(role.folder, to)
    return h, wrong


def make_logs(to):
    """Two tenants' blocks, and a log that is longer than they."""
    with Logs() as role:
        h = LineHistory()
        h.run(role, 120)
        role.restart()  # what is in the head becomes blocks
        h.run(role, 60)
        wrong = h.compare(role)
        role.kill()
        shutil.copytree(role.folder, to)
    return h, wrong


class Damaged:
    """A copy of a store to damage, and the role that is then started on it."""

    def __init__(self, kind, origin):
        self.folder = copy(origin)
        self.role = kind(folder=self.folder)
        self.store = self.role.store

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.role.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.role.dir, ignore_errors=True)


def flip(path, at, bit):
    with open(path, "r+b") as f:
        f.seek(at)
        b = f.read(1)[0]
        f.seek(at)
        f.write(bytes([b ^ 1 << bit]))


def told(role, file):
    """Log line and metric of damage."""
    wal = "prometheus_tsdb_wal_corruptions_total" if role.name == "metrics" else "loki_ingester_wal_corruptions_total"
    bad = "cairn_tsdb_blocks_bad" if role.name == "metrics" else "cairn_logs_blocks_bad_total"
    groups = (role.metric("cairn_logs_groups_bad_total") or 0) if role.name == "logs" else 0
    metric = (role.metric(wal) or 0) + (role.metric(bad) or 0) + groups
    names = [os.path.basename(file)] + (["log_pages_damaged"] if role.name == "logs" else [])
    log = any(name in line for line in role.said().splitlines() if "level=error" in line or "level=warn" in line for name in names)
    return metric > 0, log


def regions(path):
    """(name, from, to) of the parts of a file that are checked in different ways."""
    size = os.path.getsize(path)
    name = os.path.basename(path)
    if "/wal/" in path:
        return [("header", 0, 28), ("first record's header", 32, 56), ("records", 56, size)]
    if name.endswith(".block"):
        return [("magic", 0, 8), ("data", 8, size * 2 // 3), ("index", size * 2 // 3, size - 400), ("footer", size - 400, size - 16), ("tail", size - 16, size)]
    return [("all", 0, size)]


def flips(cases, kind, origin, history, pattern, most):
    """Bits flipped all over the files; `most`: the share of what was acknowledged that one bit may cost."""
    rng = random.Random(5)
    tried = hurt = 0
    for original in sorted(glob.glob(f"{origin}/{kind.name}/{pattern}")):
        if os.path.getsize(original) <= 32:
            continue
        for region, begin, end in regions(original):
            for _ in range(FLIPS):
                at, bit = rng.randrange(begin, end), rng.randrange(8)
                where = f"{os.path.relpath(original, origin)} {region} byte {at} bit {bit}"
                with Damaged(kind, origin) as d:
                    path = original.replace(origin, d.folder)
                    flip(path, at, bit)
                    try:
                        d.role.start()
                    except RuntimeError as e:
                        cases.check(f"starts with damage in {where}", False, str(e)[-300:])
                        continue
                    wrong = history.compare(d.role, some_may_be_missing=True)
                    tried += 1
                    cases.check(f"no wrong answer with damage in {where}", not wrong, brief(wrong))
                    cases.check(f"the rest is served with damage in {where}", history.missing <= most * history.count(),
                                f"{history.missing} of {history.count()} missing")
                    if history.missing:
                        hurt += 1
                        if kind is Logs:
                            d.role.flush()
                        metric, log = told(d.role, path)
                        cases.check(f"damage in {where} is counted", metric)
                        cases.check(f"damage in {where} is in the log", log, d.role.said()[-600:])
    print(f"fault 4: {tried} flipped bits in {kind.name}/{pattern}: {hurt} cost something, none gave a wrong answer")


def log_tails(cases, origin, history):
    """Fault 3: torn, zeroed and garbage ends of the log."""
    rng = random.Random(6)
    ends = {"torn": lambda b: b[:-rng.randrange(1, 200)], "zeros": lambda b: b + bytes(4096), "garbage": lambda b: b + rng.randbytes(5000)}
    for name, change in ends.items():
        with Damaged(Metrics, origin) as d:
            path = max(p for p in glob.glob(f"{d.store}/wal/*.log") if os.path.getsize(p) > 32)
            with open(path, "rb") as f:
                content = f.read()
            with open(path, "wb") as f:
                f.write(change(content))
            d.role.start()
            wrong = history.compare(d.role, some_may_be_missing=name == "torn")
            cases.check(f"a log with a tail of {name}: nothing else is lost", not wrong and history.missing <= 16,
                        brief(wrong) + f" {history.missing} missing")
            dropped = re.search(r"event=wal_damaged .*dropped_bytes=(\d+)", d.role.said())
            metric = d.role.metric("prometheus_tsdb_wal_corruptions_total")
            cases.check(f"a log with a tail of {name}: the dropped bytes are told", (dropped is None) == (name == "zeros") and
                        (not dropped or int(dropped[1]) > 0) and metric == (name != "zeros"), f"{dropped} {metric}")
    print("fault 3: torn, zeroed and garbage ends of the log: read to the last whole record, dropped bytes in the log")


def old_segment(cases, origin, history):
    """Faults 6 and 7: damage in the older part of the log and in the series definitions goes when both are written anew."""
    for what in ("wal", "series"):
        with Damaged(Metrics, origin) as d:
            path = sorted(glob.glob(f"{d.store}/wal/*.log" if what == "wal" else f"{d.store}/blocks/*.series"))[0]
            for at in range(2000 if what == "wal" else 100, min(os.path.getsize(path), 60_000), 997):
                flip(path, at, 3)
            d.role.start()
            cases.check(f"damage in an old part ({what}) costs nothing that is in blocks or in the copy",
                        not history.compare(d.role), brief(history.compare(d.role)))
            h = pickle.loads(pickle.dumps(history))
            for _ in range(3):
                h.fill(d.role, 560)
                d.role.admin("snapshot")  # flushes the head
            d.role.restart()
            cases.check(f"after flushes nothing is damaged any more ({what})", "damaged" not in d.role.said(), d.role.said()[-500:])
            cases.check(f"and all is there ({what})", not h.compare(d.role), brief(h.compare(d.role)))
    print("faults 6, 7: an old segment and the series definitions (the checkpoint): isolated, gone after the next flushes")


def odd_files(cases, kind, origin, history):
    """Fault 10: files that are missing, extra, renamed, empty or unreadable."""
    blocks = sorted(os.path.basename(p) for p in glob.glob(f"{origin}/{kind.name}/blocks/*.block"))
    first, name = blocks[0], kind.name

    def lost_little(d, what):
        wrong = history.compare(d.role, some_may_be_missing=True)
        cases.check(f"{name}: {what}: the rest is served", not wrong and history.missing < history.count(), brief(wrong))

    with Damaged(kind, origin) as d:
        os.remove(f"{d.store}/MANIFEST")
        d.role.start()
        cases.check(f"{name}: a missing manifest costs nothing", not history.compare(d.role), brief(history.compare(d.role)))
        cases.check(f"{name}: and is told", "manifest" in d.role.said(), d.role.said())
        d.role.restart()
        cases.check(f"{name}: nor after the next start", not history.compare(d.role), brief(history.compare(d.role)))
    with Damaged(kind, origin) as d:
        for m in glob.glob(f"{d.store}/MANIFEST*"):
            with open(m, "wb") as f:
                f.write(b"")
        d.role.start()
        wrong = [w for w in history.compare(d.role) if w[0] != "deleted and back"]
        cases.check(f"{name}: an empty manifest and no copy cost nothing but deletions", not wrong, brief(wrong))
    with Damaged(kind, origin) as d:
        os.rename(f"{d.store}/blocks/{first}", f"{d.folder}/aside")
        d.role.start()
        lost_little(d, "a missing block")
        cases.check(f"{name}: a missing block is told by name", first in d.role.said(), d.role.said())
        if kind is Metrics:
            d.role.stop()
            os.rename(f"{d.folder}/aside", f"{d.store}/blocks/{first}")
            d.role.start()
            cases.check(f"{name}: and served when it is back", not history.compare(d.role), brief(history.compare(d.role)))
    with Damaged(kind, origin) as d:
        other = first.replace("0000000000", "0000000077", 1)
        os.rename(f"{d.store}/blocks/{first}", f"{d.store}/blocks/{other}")
        d.role.start()
        lost_little(d, "a renamed block")
        d.role.restart()
        there = [p for p in glob.glob(f"{d.store}/**", recursive=True) if os.path.basename(p) == other]
        cases.check(f"{name}: a renamed block is not deleted", there, os.listdir(f"{d.store}/blocks"))
    with Damaged(kind, origin) as d:
        shutil.copy(f"{d.store}/blocks/{first}", f"{d.store}/blocks/" + first.replace("0000000000", "0000000088", 1))
        for junk in ("notes.txt", "core", "000000000099.block.tmp"):
            with open(f"{d.store}/blocks/{junk}", "w") as f:
                f.write("not ours")
        d.role.start()
        cases.check(f"{name}: extra files change nothing", not history.compare(d.role), brief(history.compare(d.role)))
        cases.check(f"{name}: and stay, if they are not ours", os.path.exists(f"{d.store}/blocks/notes.txt"))
    with Damaged(kind, origin) as d:
        open(f"{d.store}/blocks/{first}", "w").close()
        d.role.start()
        lost_little(d, "an empty block")
        cases.check(f"{name}: an empty block is told by name", first in d.role.said(), d.role.said())
    for what in ("MANIFEST", f"blocks/{first}", "wal"):
        with Damaged(kind, origin) as d:
            unreadable(cases, d, what, history)
    print(f"fault 10: {name}: missing, extra, renamed, empty and unreadable files: told by name, nothing deleted")


def digest(folder):
    return {p: os.path.getsize(p) for p in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(p) and not p.endswith("/lock")}


def unreadable(cases, d, what, history):
    """A file of another owner, without rights for us: it says which, and touches nothing."""
    if os.geteuid() != 0:
        print(f"skipped: {d.role.name}: {what} of another owner: only root can give files away")
        return
    for root, folders, files in os.walk(d.folder):
        for f in folders + files:
            os.chown(os.path.join(root, f), 65534, 65534)
    os.chown(d.folder, 65534, 65534)
    path = f"{d.store}/{what}"
    os.chown(path, 0, 0)
    os.chmod(path, 0o600 if os.path.isfile(path) else 0o700)
    before = digest(d.folder)
    d.role.runner = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    os.chmod(d.role.dir, 0o755)
    said = d.role.refuses_to_start()
    name = d.role.name
    cases.check(f"{name}: {what} of another owner: does not start", said is not None)
    cases.check(f"{name}: {what} of another owner: says which file and why",
                said and what in said and "ermission denied" in said, said)
    cases.check(f"{name}: {what} of another owner: nothing was touched", digest(d.folder) == before)
    os.chown(path, 65534, 65534)
    d.role.start()
    cases.check(f"{name}: {what} of another owner: all is there once it is ours", not history.compare(d.role), brief(history.compare(d.role)))


def read_only(cases, kind, origin):
    """A file system that cannot be written to: says so, touches nothing."""
    name = kind.name
    with Damaged(kind, origin) as d:
        words = ["unshare", "--mount", "sh", "-c", f'mount --bind "{d.folder}" "{d.folder}" && mount -o remount,bind,ro "{d.folder}" && exec "$@"', "sh"]
        if subprocess.run(words + ["true"], stderr=subprocess.DEVNULL).returncode:
            print(f"skipped: {name}: no read-only mount can be made here (a chroot?)")
            return
        d.role.runner = words
        said = d.role.refuses_to_start()
        cases.check(f"{name}: a read-only disk: does not start and says why", said and "Read-only file system" in said and d.folder in said, said)
        d.role.runner = []
        d.role.start()
        cases.check(f"{name}: a read-only disk: starts once it can be written", True)


def main():
    cases = Cases()
    work = tempfile.mkdtemp(prefix="cairn-faults-")
    try:
        metrics, wrong = make_metrics(f"{work}/metrics")
        cases.check("the metrics are whole before they are damaged", not wrong, brief(wrong))
        logs, wrong = make_logs(f"{work}/logs")
        cases.check("the lines are whole before they are damaged", not wrong, brief(wrong))
        for pattern, most in (("MANIFEST", 0), ("blocks/*.series", 0), ("wal/*.log", 0.05), ("blocks/*.block", 0.7)):
            flips(cases, Metrics, f"{work}/metrics", metrics, pattern, most)
        for pattern, most in (("MANIFEST", 0), ("wal/*.log", 0.05), ("blocks/*.block", 0.7)):
            flips(cases, Logs, f"{work}/logs", logs, pattern, most)
        log_tails(cases, f"{work}/metrics", metrics)
        old_segment(cases, f"{work}/metrics", metrics)
        for kind, h in ((Metrics, metrics), (Logs, logs)):
            odd_files(cases, kind, f"{work}/{kind.name}", h)
            read_only(cases, kind, f"{work}/{kind.name}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
