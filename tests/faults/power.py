#!/usr/bin/env python3
"""Fault 2: the power goes, in `sync` mode.

The shim records every change below the data folder in its order. A disk is then imagined that did what POSIX allows: what was synced
is there; of what was not, any part may be, in any order, torn at sectors; a name is where it was or where it went, until its folder
was synced. The program starts on many such disks, from many moments, and must answer everything that had been acknowledged by then,
each batch whole or not at all, and nothing that was deleted. Prints the seed; CAIRN_TEST_SEED repeats it. `power.py long`: more moments.
"""
import os
import random
import shutil
import struct
import sys
import tempfile
import time

from faulty import Cases, LineHistory, Logs, Metrics, SampleHistory, brief

LONG = "long" in sys.argv[1:]
IMAGES = 150 if LONG else 12
SECTOR = 512


class Inode:
    def __init__(self):
        self.durable, self.pending = b"", []


def apply(content, op, rng=None):
    """A write or truncation; with rng, torn: each sector may or may not be there."""
    if op[0] == "T":
        return content[:op[1]] + bytes(max(0, op[1] - len(content)))
    _, at, data = op
    if len(content) < at + len(data):
        content += bytes(at + len(data) - len(content))
    if not rng:
        return content[:at] + data + content[at + len(data):]
    out = bytearray(content)
    for begin in range(at // SECTOR * SECTOR, at + len(data), SECTOR):
        a, b = max(begin, at), min(begin + SECTOR, at + len(data))
        if rng.random() < 0.5:
            out[a:b] = data[a - at:b - at]
    return bytes(out)


class Disk:
    """What the kernel has been told (now), and what is certain to be on the platter (durable)."""

    def __init__(self, root):
        self.root, self.now, self.durable, self.changes = root, {}, {root: "folder"}, {}

    def change(self, *op):
        self.changes.setdefault(os.path.dirname(op[1]), []).append(op)

    def do(self, kind, path, second, at, data):
        inode = self.now.get(path)
        if kind == "C":
            self.now[path] = Inode()
            self.change("add", path, self.now[path])
        elif kind == "D":
            self.now[path] = "folder"
            self.change("add", path, "folder")
        elif kind in "WT" and isinstance(inode, Inode):
            inode.pending.append(("W", at, data) if kind == "W" else ("T", at))
        elif kind == "S" and isinstance(inode, Inode):
            for op in inode.pending:
                inode.durable = apply(inode.durable, op)
            inode.pending = []
        elif kind == "S":
            for op in self.changes.pop(path, []):
                rename(self.durable, op)
        elif kind == "R" and inode:
            self.now[second] = self.now.pop(path)
            self.change("move", path, second, inode)
        elif kind == "L" and inode:
            self.now[second] = inode
            self.change("add", second, inode)
        elif kind == "U":
            self.now.pop(path, None)
            self.change("remove", path)

    def image(self, rng, to):
        """One disk that may be found after the cut, as files below `to`."""
        names = dict(self.durable)
        for folder in self.changes:
            for op in some(self.changes[folder], rng):
                rename(names, op)
        for path, inode in sorted(names.items(), key=lambda n: len(n[0])):
            target = to + path[len(self.root):]
            if not os.path.isdir(os.path.dirname(target)):
                continue  # the folder itself was lost
            if inode == "folder":
                os.makedirs(target, exist_ok=True)
                continue
            content, torn = inode.durable, rng.random() < 0.5
            for op in some(inode.pending, rng):
                content = apply(content, op, rng if torn else None)
            with open(target, "wb") as f:
                f.write(content)


def some(ops, rng):
    """Which of the unsynced changes happened: none, all, the first ones, or any."""
    how = rng.randrange(4)
    if how < 2:
        return ops if how else []
    return ops[:rng.randrange(len(ops) + 1)] if how == 2 else [op for op in ops if rng.random() < 0.5]


def rename(names, op):
    if op[0] == "add":
        names[op[1]] = op[2]
    elif op[0] == "remove":
        names.pop(op[1], None)
    else:
        names.pop(op[1], None)
        names[op[2]] = op[3]


def read_record(path):
    """[(end in the record, kind, path, second path, offset, data)]"""
    ops, at = [], 0
    with open(path, "rb") as f:
        b = f.read()
    while at < len(b):
        kind, (offset, a, c, n) = chr(b[at]), struct.unpack_from("<QIII", b, at + 1)
        at += 21
        ops.append((at + a + c + n, kind, b[at:at + a].decode(), b[at + a:at + a + c].decode(), offset, b[at + a + c:at + a + c + n]))
        at += a + c + n
    return ops


class Remembered:
    """A history that knows how long the record was when each request was sent and when it was acknowledged."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.events, self.record = [], None

    def size(self):
        return os.path.getsize(self.record)


class SampleTimes(Remembered, SampleHistory):
    def send(self, role, rows, timeout=60):
        self.sent = self.size()
        return super().send(role, rows, timeout)

    def note(self, rows, sure):
        self.events.append((self.sent, self.size() if sure else None, "write", list(rows)))
        super().note(rows, sure)

    def delete(self, role, target, first_ms, last_ms):
        sent = self.size()
        gone = {(k, t) for k, samples in self.sure.items() if ("instance", f"t{target}") in k and ("__name__", "fault_value") in k
                for t in samples if first_ms <= t <= last_ms}
        status = super().delete(role, target, first_ms, last_ms)
        self.events.append((sent, self.size() if status == 204 else None, "delete", gone))
        return status

    def at(self, cut):
        h = SampleHistory(start=self.start)
        h.tick, h.step = self.tick, self.step
        for sent, acked, kind, what in self.events:
            sure = acked is not None and acked <= cut
            if kind == "write" and sent < cut:
                h.note(what, sure)
            elif kind == "delete" and sent < cut:
                for key, ts in what:
                    v = h.sure.get(key, {}).pop(ts, None)
                    if v is not None and not sure:
                        h.maybe.setdefault(key, {})[ts] = v
                    h.gone.add((key, ts))
        return h


class LineTimes(Remembered, LineHistory):
    def step_once(self, role, lines=5):
        sent, before = self.size(), self.n
        answer = super().step_once(role, lines)
        tenant = f"tenant{before % 2}"
        into = self.sure if answer[0] // 100 == 2 else self.maybe
        batch = {t: l for t, l in into[tenant].items() if self.start + before * 1_000_000 <= t <= self.start + self.n * 1_000_000}
        self.events.append((sent, self.size() if answer[0] // 100 == 2 else None, tenant, batch))
        return answer

    def at(self, cut):
        h = LineHistory()
        h.start, h.n = self.start, self.n
        for sent, acked, tenant, batch in self.events:
            if sent < cut:
                (h.sure if acked is not None and acked <= cut else h.maybe).setdefault(tenant, {}).update(batch)
        return h


def live_metrics(role, h):
    """Writes, flushes, deletions, a snapshot and restarts."""
    h.run(role, 12)
    role.kill()
    role.start()
    h.sent = h.size()
    for _ in range(3):
        h.fill(role, 300)
        h.sent = h.size()
        h.run(role, 3)
    h.delete(role, 1, h.start + 15_000 * 3, h.start + 15_000 * 500)
    role.wait_for("a flush", lambda: role.metric("prometheus_tsdb_head_truncations_total"))
    h.run(role, 5)
    h.delete(role, 2, h.start + 15_000 * 100, h.start + 15_000 * 700)
    role.admin("snapshot")
    h.sent = h.size()
    h.fill(role, 240)
    h.run(role, 5)
    role.restart()
    h.run(role, 5)


def live_logs(role, h):
    h.run(role, 40)
    role.kill()
    role.start()
    h.run(role, 40)
    role.flush()
    h.run(role, 20)
    role.restart()  # its head becomes blocks
    h.run(role, 30)


def cuts(ops, rng):
    """Moments: half of them near a sync, a rename or a removal, where promises change hands."""
    special = [i for i, op in enumerate(ops) if op[1] in "SRUC"]
    for n in range(IMAGES):
        yield rng.choice(special) + rng.randrange(2) if n % 2 else rng.randrange(len(ops) + 1)


def run(cases, kind, times, live, seed):
    work = tempfile.mkdtemp(prefix="cairn-power-")
    rng = random.Random(seed)
    try:
        with kind(record=f"{work}/record", flags=["--durability=sync"], folder=f"{work}/data") as role:
            h = times(seed=seed)
            h.record = f"{work}/record"
            live(role, h)
            wrong = h.compare(role)
            cases.check(f"{role.name}: all is there before the power goes", not wrong, brief(wrong))
        ops, disk, done, syncs = read_record(f"{work}/record"), Disk(f"{work}/data"), 0, 0
        for number, upto in enumerate(sorted(cuts(ops, rng))):
            for _, kind_of_op, path, second, at, data in ops[done:upto]:
                disk.do(kind_of_op, path, second, at, data)
                syncs += kind_of_op == "S"
            done = max(done, upto)
            cut = ops[upto - 1][0] if upto else 0
            image = f"{work}/image"
            os.makedirs(image)
            disk.image(random.Random(f"{seed} {upto} {number}"), image)
            check(cases, kind, image, h.at(cut), f"{kind.name}: seed {seed}: the power goes after operation {upto}")
            shutil.rmtree(image)
        print(f"fault 2: {kind.name}: {IMAGES} disks out of {len(ops)} operations, {syncs} of them syncs, {h.count()} acknowledged")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def after_kill(cases, kind, times, seed):
    """In the default mode the power may take the last 200 ms; not what a process left that was killed before."""
    work = tempfile.mkdtemp(prefix="cairn-power-")
    try:
        with kind(record=f"{work}/record", folder=f"{work}/data") as role:
            h = times(seed=seed)
            h.record = f"{work}/record"
            h.run(role, 10)
            role.kill()
            cut = h.size()
            role.start()
            role.kill()
        disk = Disk(f"{work}/data")
        for _, kind_of_op, path, second, at, data in read_record(f"{work}/record"):
            disk.do(kind_of_op, path, second, at, data)
        for n in range(4):
            image = f"{work}/image"
            os.makedirs(image)
            disk.image(random.Random(f"{seed} {n}"), image)
            check(cases, kind, image, h.at(cut), f"{kind.name}: seed {seed}: the power goes after a kill and a start")
            shutil.rmtree(image)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check(cases, kind, image, history, where):
    role = kind(folder=image)
    try:
        role.start()
        wrong = history.compare(role)
        cases.check(where, not wrong, brief(wrong) + role.said()[-900:] if wrong else "")
    except RuntimeError as e:
        cases.check(where, False, str(e)[-600:])
    finally:
        role.stop()
        shutil.rmtree(role.dir, ignore_errors=True)


def main():
    cases = Cases()
    seed = int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 10**6))
    print(f"seed {seed}")
    run(cases, Metrics, SampleTimes, live_metrics, seed)
    run(cases, Logs, LineTimes, live_logs, seed)
    after_kill(cases, Metrics, SampleTimes, seed)
    after_kill(cases, Logs, LineTimes, seed)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
