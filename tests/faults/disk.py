#!/usr/bin/env python3
"""Faults 5, 8, 9, 11 and 15: a disk that is full, fails, does half of what it is asked, or is slow; and a system without
descriptors, threads, mappings or inodes.

A 2xx is a promise in every case: what was acknowledged is there after `kill -9`. `disk.py long` fails more calls one by one.
"""
import contextlib
import errno
import glob
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from faulty import (DUP, FREE, LINK, MAP, MKDIR, OPEN, READ, RENAME, RESERVE, SYNC, THREAD, TRUNCATE, UNLINK, WRITE, Cases, LineHistory,
                    Logs, Metrics, SampleHistory, brief)

LONG = "long" in sys.argv[1:]
KINDS = ((Metrics, SampleHistory), (Logs, LineHistory))


def refused_well(status, text, words):
    """A refusal that a sender repeats, with its reason."""
    return status in (429, 500, 503, 507) and any(w in text for w in words)


def query_works(role, history):
    return not history.compare(role)


def check_after(cases, role, history, what):
    """Everything acknowledged is there now, and after kill -9."""
    wrong = history.compare(role)
    cases.check(f"{role.name}: {what}: all that was acknowledged is there", not wrong, brief(wrong))
    if role.control:
        role.control.clear()
    role.kill()
    role.start()
    wrong = history.compare(role)
    cases.check(f"{role.name}: {what}: and after kill -9", not wrong, brief(wrong))


def recovers(role, history, seconds=20):
    """True once something is acknowledged again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if history.step_once(role)[0] // 100 == 2:
            return True
        time.sleep(0.1)
    return False


# -- fault 5 ---------------------------------------------------------------------------------------------

def full_now(cases, kind, make):
    """ENOSPC at a write, each time further on; a part of the batch is written before."""
    for skip, short in ((0, 0), (0, 5), (1, 100), (3, 37)):
        with kind(shim=True, flags=["--durability=sync"]) as role:
            h = make().run(role, 10)
            role.control.rule(0, WRITE | RESERVE, error=errno.ENOSPC, skip=skip, short=short, part="/wal/")
            answers = [h.step_once(role) for _ in range(6)]
            refused = [a for a in answers if a[0] // 100 != 2]
            where = f"ENOSPC from write {skip + 1}, {short} bytes of each written"
            cases.check(f"{role.name}: {where}: refused with the reason", refused and all(refused_well(*a, ["pace"]) for a in refused), refused[:2])
            cases.check(f"{role.name}: {where}: reads go on", query_works(role, h))
            cases.check(f"{role.name}: {where}: is ready", role.is_ready())
            role.control.clear()
            cases.check(f"{role.name}: {where}: takes data again by itself", recovers(role, h), h.statuses)
            h.run(role, 10)
            check_after(cases, role, h, where)


def full_background(cases, kind, make):
    """ENOSPC wherever a flush writes: nothing is lost, and the flush is done when there is room."""
    with kind(shim=True) as role:
        h = make()
        role.control.rule(0, WRITE | OPEN, error=errno.ENOSPC, part="/blocks/")
        role.control.rule(1, WRITE | OPEN, error=errno.ENOSPC, part="MANIFEST.tmp")
        if kind is Metrics:
            h.run(role, 5).fill(role, 900)
            role.wait_for("a flush that fails", lambda: role.metric("prometheus_tsdb_compactions_failed_total"))
        else:
            h.run(role, 100)
            role.flush()
        cases.check(f"{role.name}: a flush without room: writes go on", h.step_once(role)[0] // 100 == 2)
        cases.check(f"{role.name}: a flush without room: reads go on", query_works(role, h), brief(h.compare(role)))
        role.control.clear()
        if kind is Metrics:
            role.wait_for("the flush", lambda: role.metric("prometheus_tsdb_head_truncations_total"))
        h.run(role, 3)
        check_after(cases, role, h, "a flush without room")


def reserve(cases, kind, make):
    """The disk falls below the reserve: writes are refused in time, and go on when there is room."""
    with kind(shim=True) as role:
        h = make().run(role, 10)
        role.control.rule(0, FREE, error=10)  # MiB
        role.wait_for("a refusal", lambda: h.step_once(role)[0] // 100 != 2, seconds=20)
        status, text = h.step_once(role)
        cases.check(f"{role.name}: little free space: refused with the reason", refused_well(status, text, ["free", "pace"]), f"{status} {text}")
        cases.check(f"{role.name}: little free space: reads go on", query_works(role, h))
        role.control.clear()
        cases.check(f"{role.name}: little free space: takes data again by itself", recovers(role, h), h.statuses)
        check_after(cases, role, h, "little free space")


def tmpfs(size, more=""):
    """A small file system of our own, or None where none can be mounted."""
    folder = tempfile.mkdtemp(prefix="cairn-small-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}{more}", "none", folder], stderr=subprocess.DEVNULL).returncode:
        os.rmdir(folder)
        return None
    return folder


def really_full(cases, kind, make, options, what):
    """A file system that is really full, by a file of somebody else's, or by many."""
    folder = tmpfs("300m", options)
    if not folder:
        print(f"skipped: {kind.name}: {what}: no file system can be mounted here (a chroot?); the shim's ENOSPC stands for it")
        return
    try:
        with kind(folder=f"{folder}/data") as role:
            h = make().run(role, 10)
            with contextlib.suppress(OSError):
                if options:
                    for i in range(10**6):
                        open(f"{folder}/{i}", "w").close()
                with open(f"{folder}/ballast", "wb") as f:
                    while not options:
                        f.write(bytes(1 << 16))
            answers = []
            for _ in range(40 if options else 3000):
                answers.append(h.step_once(role))
                if answers[-1][0] // 100 != 2:
                    break
            if not options:
                cases.check(f"{role.name}: {what}: refused with the reason", refused_well(*answers[-1], ["pace", "free"]), answers[-1])
            cases.check(f"{role.name}: {what}: reads go on", query_works(role, h), brief(h.compare(role)))
            for f in os.listdir(folder):
                if f != "data":
                    os.remove(f"{folder}/{f}")
            cases.check(f"{role.name}: {what}: takes data again by itself", recovers(role, h), h.statuses)
            check_after(cases, role, h, what)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


# -- fault 8 ---------------------------------------------------------------------------------------------

def failing_sync(cases, kind, make):
    """EIO of a sync: read-only at once, told by health and log, reads go on; a restart is the way out."""
    for skip, left in ((0, 1), (0, -1), (3, 1)):
        with kind(shim=True, flags=["--durability=sync"]) as role:
            h = make().run(role, 10)
            role.control.rule(0, SYNC, error=errno.EIO, skip=skip, left=left, part="/wal/")
            answers = [h.step_once(role) for _ in range(8)]
            where = f"EIO of sync {skip + 1}" + (" and all that follow" if left < 0 else "")
            bad = [a for a in answers if a[0] // 100 != 2]
            cases.check(f"{role.name}: {where}: nothing more is acknowledged", len(bad) >= 4 and answers[-1][0] // 100 != 2, answers)
            cases.check(f"{role.name}: {where}: the refusal has the reason", "nput/output" in answers[-1][1], answers[-1])
            cases.check(f"{role.name}: {where}: not ready", role.get(role.name, role.ready)[0] == 503)
            cases.check(f"{role.name}: {where}: in the log", "wal_read_only" in role.said(), role.said()[-300:])
            cases.check(f"{role.name}: {where}: reads go on", query_works(role, h), brief(h.compare(role)))
            check_after(cases, role, h, where)
            cases.check(f"{role.name}: {where}: writes are taken after a restart", h.step_once(role)[0] // 100 == 2)


def failing_interval_sync(cases, kind, make):
    """The same when nobody waits for the sync, as in the default mode."""
    with kind(shim=True) as role:
        h = make().run(role, 10)
        role.control.rule(0, SYNC, error=errno.EIO, left=1, part="/wal/")
        h.step_once(role)
        role.wait_for("not ready", lambda: not role.is_ready(), seconds=10)
        cases.check(f"{role.name}: a sync fails in the background: refused from then on", h.step_once(role)[0] // 100 != 2)
        cases.check(f"{role.name}: a sync fails in the background: reads go on", query_works(role, h))


def failing_calls(cases, kind, make):
    """EIO, once, of each kind of call in turn while writes, a flush and a restart go on: an acknowledgement holds."""
    calls = {"write": WRITE, "open": OPEN, "rename": RENAME, "truncate": TRUNCATE, "remove": UNLINK, "map": MAP, "sync": SYNC}
    for name, ops in calls.items():
        for skip in range(0, 12 if LONG else 4, 1 if LONG else 3):
            with kind(shim=True) as role:
                h = make().run(role, 5)
                role.control.rule(0, ops, error=errno.EIO, skip=skip, left=1)
                h.run(role, 3)
                if kind is Metrics:
                    h.fill(role, 100, strict=False)
                    role.admin("snapshot")
                    role.admin("delete_series", **{"match[]": "nothing_there"})
                else:
                    role.flush()
                h.run(role, 3)
                alive = role.process.poll() is None
                cases.check(f"{role.name}: EIO of {name} {skip + 1}: still running", alive, role.tail())
                if alive:
                    check_after(cases, role, h, f"EIO of {name} {skip + 1}")


def failing_reads(cases, kind, make):
    """EIO while a store opens: it says which file, and starts when the disk is well again."""
    with kind(shim=True) as role:
        h = make().run(role, 20)
        if kind is Metrics:
            role.admin("snapshot")
        role.restart()
        role.stop()
        role.control.rule(0, READ | MAP, error=errno.EIO, part=f"/{role.name}/")
        said = role.refuses_to_start(seconds=3)
        cases.check(f"{role.name}: EIO of reads at start: says so, or serves the rest", said is None or "nput/output" in said, said)
        role.stop()
        role.control.clear()
        role.start()
        cases.check(f"{role.name}: EIO of reads at start: all is there afterwards", query_works(role, h), brief(h.compare(role)))


def unreadable_pages(cases, kind, make):
    """Mapped pages that the disk does not give while blocks are being read: the process lives, no answer is wrong. A file that
    became shorter is the same to who reads it as a disk that fails."""
    with kind() as role:
        h = make()
        if kind is Metrics:
            h.run(role, 5).fill(role, 900)
            role.wait_for("a flush", lambda: role.metric("prometheus_tsdb_head_truncations_total"))
        else:
            for _ in range(6):
                h.run(role, 300)
            role.flush()
        h.run(role, 3)
        for path in sorted(glob.glob(f"{role.store}/blocks/*.block"))[:1]:
            os.truncate(path, 0)
        for n in range(3):
            try:
                wrong = h.compare(role, some_may_be_missing=True)
            except RuntimeError as e:  # refused with the reason is right, too
                wrong = [] if "did not give" in str(e) else [str(e)]
            except OSError as e:
                wrong = [str(e)]
            cases.check(f"{role.name}: pages that cannot be read: running, no wrong answer", role.process.poll() is None and not wrong,
                        brief(wrong) + role.tail())
        if role.process.poll() is not None:
            return
        cases.check(f"{role.name}: pages that cannot be read: writes go on", h.step_once(role)[0] // 100 == 2)
        role.kill()
        role.start()
        wrong = h.compare(role, some_may_be_missing=True)
        cases.check(f"{role.name}: pages that cannot be read: the rest is served after a restart", not wrong, brief(wrong))


# -- fault 9 ---------------------------------------------------------------------------------------------

def half_calls(cases, kind, make):
    """Reads and writes of a few bytes, interrupted and put off: no effect."""
    with kind(shim=True, flags=["--durability=sync"]) as role:
        h = make()
        role.control.rule(0, WRITE, short=7, part=f"/{role.name}/wal/")
        h.run(role, 6)
        role.control.rule(0, WRITE, short=301, part=f"/{role.name}/")
        h.run(role, 20)
        hits = role.control.hits(0)
        for error in (errno.EINTR, errno.EAGAIN):
            role.control.rule(0, WRITE | READ | OPEN | TRUNCATE, error=error, left=3, part=f"/{role.name}/")
            h.run(role, 5)
            hits += role.control.hits(0)
        if kind is Metrics:
            role.control.rule(0, WRITE | READ, short=100, part=f"/{role.name}/")
            cases.check("metrics: a snapshot in short writes", role.admin("snapshot") == 200)
        cases.check(f"{role.name}: short, interrupted and put off calls: nothing is refused",
                    set(h.statuses) <= {200, 204} and hits > 20, f"{h.statuses} {hits}")
        role.kill()
        role.control.rule(0, READ, short=11, part=f"/{role.name}/")
        role.control.rule(1, READ | OPEN, error=errno.EINTR, left=20, part=f"/{role.name}/")
        role.start()
        check_after(cases, role, h, "short, interrupted and put off calls")


# -- fault 11 --------------------------------------------------------------------------------------------

def slow_disk(cases, kind, make):
    """Each sync takes a second: senders wait, memory stays, health answers, nothing is lost."""
    with kind(shim=True, flags=["--durability=sync"]) as role:
        h = make().run(role, 5)
        before = role.rss_mb()
        role.control.rule(0, SYNC, delay_s=1.0, part=f"/{role.name}/")
        histories = [make(seed=n + 2) if kind is Logs else SampleHistory(seed=n + 2, targets=1, start=h.start) for n in range(8)]
        for n, one in enumerate(histories):  # of their own series and lines
            if kind is Metrics:
                one.labels = lambda t, s, n=n: {"__name__": "fault_value" if s < 3 else "fault_hist", "job": "fault", "instance": f"w{n}", "series": str(s)}
            else:
                one.start += (n + 1) * 10**11
        until = time.monotonic() + (20 if LONG else 4)

        def send(one):
            while time.monotonic() < until:
                one.step_once(role)
        threads = [threading.Thread(target=send, args=(one,)) for one in histories]
        for t in threads:
            t.start()
        worst, answers = 0.0, 0
        while time.monotonic() < until:
            since = time.monotonic()
            answers += role.is_ready()
            worst = max(worst, time.monotonic() - since)
            time.sleep(0.1)
        for t in threads:
            t.join()
        done = sum(one.statuses.get(204, 0) + one.statuses.get(200, 0) for one in histories)
        cases.check(f"{role.name}: slow syncs: senders wait and are served together", done >= 8 and all(
            set(one.statuses) <= {200, 204, 429, 503} for one in histories), [one.statuses for one in histories])
        cases.check(f"{role.name}: slow syncs: memory stays", role.rss_mb() < before + 40, f"{before} {role.rss_mb()}")
        cases.check(f"{role.name}: slow syncs: health answers", answers > 5, f"{answers} answers, the slowest after {worst:.1f} s")
        role.control.clear()
        cases.check(f"{role.name}: slow syncs: all that was acknowledged is there", kept_all(role, kind, [h] + histories))
        role.kill()
        role.start()
        cases.check(f"{role.name}: slow syncs: and after kill -9", kept_all(role, kind, [h] + histories))


def kept_all(role, kind, histories):
    for h in histories:
        if kind is Metrics:
            found, _ = h.found(role)
            if any(ts not in found.get(key, {}) for key, samples in h.sure.items() for ts in samples):
                return False
        elif h.compare(role):
            return False
    return True


# -- fault 15 --------------------------------------------------------------------------------------------

def without(cases, kind, make, what, ops, error):
    """A call that the system has no means for, for a while: degraded, then as before, without a restart."""
    with kind(shim=True) as role:
        h = make().run(role, 10)
        role.control.rule(0, ops, error=error)
        for _ in range(6):
            h.step_once(role)
        if kind is Metrics:
            role.admin("snapshot")
        else:
            role.flush()
        time.sleep(0.5)  # the syncing thread's turn, twice
        answers = h.step_once(role)
        cases.check(f"{role.name}: {what}: running", role.process.poll() is None, role.tail())
        role.control.clear()
        cases.check(f"{role.name}: {what}: takes data by itself afterwards", recovers(role, h), f"{answers} {h.statuses}")
        cases.check(f"{role.name}: {what}: is ready afterwards", role.is_ready(), role.said()[-400:])
        check_after(cases, role, h, what)


def few_descriptors(cases, kind, make):
    """Real descriptors run out: connections take them all."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    role = kind()
    role.limits = limit
    with role:
        import socket
        h = make().run(role, 10)
        taken = []
        for _ in range(100):
            s = socket.socket()
            s.settimeout(0.3)
            with contextlib.suppress(OSError):
                s.connect(("127.0.0.1", role.ports[role.name]))
                s.send(b"GET / HTTP/1.1\r\n")
            taken.append(s)
        time.sleep(0.5)
        cases.check(f"{role.name}: no descriptors left: running", role.process.poll() is None, role.tail())
        for s in taken:
            s.close()
        cases.check(f"{role.name}: no descriptors left: takes data by itself afterwards", recovers(role, h), h.statuses)
        cases.check(f"{role.name}: no descriptors left: ready afterwards", role.is_ready(), role.said()[-400:])
        check_after(cases, role, h, "no descriptors left")


def main():
    cases = Cases()
    for kind, make in KINDS:
        full_now(cases, kind, make)
        full_background(cases, kind, make)
        reserve(cases, kind, make)
        really_full(cases, kind, make, "", "a full file system")
        print(f"fault 5: {kind.name}: ENOSPC at each write, at flushes, below the reserve, on a full file system")
        failing_sync(cases, kind, make)
        failing_interval_sync(cases, kind, make)
        failing_calls(cases, kind, make)
        failing_reads(cases, kind, make)
        unreadable_pages(cases, kind, make)
        print(f"fault 8: {kind.name}: EIO of syncs (once, always, delayed), of each other call once, of reads at start, of mapped pages")
        half_calls(cases, kind, make)
        print(f"fault 9: {kind.name}: short reads and writes, EINTR, EAGAIN")
        slow_disk(cases, kind, make)
        print(f"fault 11: {kind.name}: syncs of a second")
        without(cases, kind, make, "no descriptors", OPEN | DUP, errno.EMFILE)
        without(cases, kind, make, "no mappings", MAP, errno.ENOMEM)
        without(cases, kind, make, "no threads", THREAD, errno.EAGAIN)
        without(cases, kind, make, "no inodes", MKDIR | LINK | RENAME | RESERVE, errno.ENOSPC)
        few_descriptors(cases, kind, make)
        really_full(cases, kind, make, ",nr_inodes=60", "a file system without inodes")
        print(f"fault 15: {kind.name}: without descriptors, mappings, threads, inodes")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
