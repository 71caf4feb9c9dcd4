#!/usr/bin/env python3
"""Fault 1: SIGKILL before the n-th call of each kind, while writes, flushes, deletions and a snapshot go on.

Everything that was acknowledged is there after the next start, nothing twice, nothing that was deleted, and the start has nothing to
complain of. `tests/crash` kills at random moments under load; `kills.py long` kills at many more calls.
"""
import shutil
import sys

from faulty import KILL, LINK, MKDIR, OPEN, RENAME, SYNC, TRUNCATE, UNLINK, WRITE, Cases, LineHistory, Logs, Metrics, SampleHistory, brief

LONG = "long" in sys.argv[1:]
CALLS = {"write": WRITE, "sync": SYNC, "rename": RENAME, "remove": UNLINK, "open": OPEN, "truncate, link or mkdir": TRUNCATE | LINK | MKDIR}
MANY = 10**9


def live_metrics(role, h):
    h.run(role, 4)
    h.fill(role, 240, strict=False)
    role.admin("snapshot")  # flushes the head
    h.delete(role, 1, h.start + 15_000 * 3, h.start + 15_000 * 90)
    h.run(role, 4)
    role.admin("snapshot")
    h.delete(role, 2, h.start, h.start + 15_000 * 20)
    h.run(role, 2)


def live_logs(role, h):
    h.run(role, 20)
    role.flush()
    h.run(role, 20)
    role.flush()
    h.run(role, 5)


def main():
    cases = Cases()
    for kind, make, live in ((Metrics, SampleHistory, live_metrics), (Logs, LineHistory, live_logs)):
        kills = 0
        with kind(shim=True) as role:
            for n, ops in enumerate(CALLS.values()):
                role.control.rule(n, ops, skip=MANY)
            live(role, make())
            totals = [role.control.seen(n, MANY) for n in range(len(CALLS))]
        for (name, ops), total in zip(CALLS.items(), totals):
            step = max(1, total // (40 if LONG else 4))
            for skip in range(step // 2, total, step):
                where = f"{kind.name}: killed before {name} {skip + 1} of {total}"
                with kind(shim=True) as role:
                    h = make()
                    role.control.rule(0, ops, error=KILL, skip=skip, left=1)
                    live(role, h)
                    kills += role.control.hits(0)
                    role.control.clear()
                    role.kill()
                    role.start()
                    wrong = h.compare(role)
                    cases.check(where, not wrong, brief(wrong))
                    cases.check(f"{where}: nothing to complain of at start", "level=error" not in role.said(), role.said()[-500:])
        print(f"fault 1: {kind.name}: {kills} kills at {dict(zip(CALLS, totals))}")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
