#!/usr/bin/env python3
"""Faults 12 and 13: a second process on the same folder, and a clock that jumps.

The clock is the shim's: it is wrong for the wall only, never for what measures durations. `host.py long` lets each jump last longer.
"""
import os
import shutil
import subprocess
import sys
import time

from faulty import CLOCK, PROGRAM, Cases, LineHistory, Logs, Metrics, SampleHistory, brief

LONG = "long" in sys.argv[1:]
HOUR, YEAR = 3600, 365 * 86400
KINDS = ((Metrics, SampleHistory), (Logs, LineHistory))


def two_processes(cases, kind, make):
    with kind() as role:
        h = make().run(role, 10)
        second = kind(folder=role.folder)
        said = second.refuses_to_start(seconds=5)
        cases.check(f"{role.name}: a second process refuses, names the first and the cure",
                    said and str(role.process.pid) in said and "in use" in said and "another" in said, said)
        h.run(role, 10)
        cases.check(f"{role.name}: the first goes on", not h.compare(role), brief(h.compare(role)))
        if kind is Metrics:
            dump = f"{role.dir}/dump.txt"
            with open(dump, "w") as f:
                f.write("# TYPE a gauge\na 1 1700000000\n# EOF\n")
            done = subprocess.run([PROGRAM, "import", "openmetrics", f"--data={role.folder}", dump], capture_output=True, text=True, timeout=60)
            cases.check("metrics: an import into a folder in use refuses", done.returncode and "in use" in done.stdout + done.stderr,
                        f"{done.returncode} {done.stdout} {done.stderr}")
        role.kill()
        second.start()
        cases.check(f"{role.name}: after the first was killed the second starts with everything", not h.compare(second), brief(h.compare(second)))
        second.stop()
        shutil.rmtree(second.dir, ignore_errors=True)


def cpu_s(role):
    with open(f"/proc/{role.process.pid}/stat") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def with_blocks(kind, role):
    """A history that is partly in blocks."""
    if kind is Metrics:
        h = SampleHistory(start=int(time.time() * 1000) - 5 * 3_600_000)
        h.run(role, 5).fill(role, 1000)
        role.wait_for("a flush", lambda: role.metric("prometheus_tsdb_head_truncations_total"))
        return h
    h = LineHistory().run(role, 60)
    role.flush()
    return h.run(role, 10)


def now_again(role, kind, n):
    """Something of this moment, as an agent or a scrape sends it, is taken and found."""
    now = time.time_ns()
    if kind is Metrics:
        ts = now // 10**6
        status, text = role.remote({"__name__": "fault_now", "n": str(n)}, ts, float(n))
        found = {k: v for k, v in role.series(f'fault_now{{n="{n}"}}[1m]', ts + 1000)[0].items()}
        return status // 100 == 2 and len(found) == 1, f"{status} {text} {found}"
    status, text = role.push("tenant0", {"job": "now"}, [(now, f"now {n}")])
    return status // 100 == 2 and f"now {n}" in role.lines("tenant0", '{job="now"}', now - 10**9, now + 10**9).values(), f"{status} {text}"


def taken_soon(role, kind, n):
    """The store finds out within seconds that the clock is right."""
    until = time.monotonic() + 20
    ok, detail = now_again(role, kind, n)
    while not ok and time.monotonic() < until:
        time.sleep(0.5)
        ok, detail = now_again(role, kind, n)
    return ok, detail


def clock_jumps(cases, kind):
    """Jumps while running, there and back."""
    with kind(shim=True) as role:
        h = with_blocks(kind, role)
        for n, (name, by) in enumerate((("an hour ahead", HOUR), ("an hour back", -HOUR), ("ten years ahead", 10 * YEAR),
                                        ("ten years back", -10 * YEAR), ("back to 1970", -int(time.time()) + 5))):
            busy = cpu_s(role)
            role.control.rule(0, CLOCK, error=by)
            at = int(time.time() + by)
            for i in range(3):  # what comes while the clock is wrong has its time
                if kind is Metrics:
                    role.remote({"__name__": "fault_wrong", "n": str(n)}, at * 1000 + i, 1.0)
                else:
                    role.push("tenant0", {"job": "wrong"}, [((at * 10**9) + i, f"wrong {n} {i}")])
            until = time.monotonic() + (30 if LONG else 1.5)
            while time.monotonic() < until:
                role.is_ready()
                time.sleep(0.1)
            if kind is Logs:
                role.flush()
            cases.check(f"{role.name}: {name}: running, ready, and not busy", role.is_ready() and cpu_s(role) - busy < 1.5 + (10 if LONG else 0),
                        f"{cpu_s(role) - busy} s of CPU")
            wrong = h.compare(role)
            cases.check(f"{role.name}: {name}: nothing is lost while it lasts", not wrong, brief(wrong))
            role.control.clear()
            ok, detail = taken_soon(role, kind, n)
            cases.check(f"{role.name}: {name} and right again: what comes now is taken and found", ok, detail)
            wrong = h.compare(role)
            cases.check(f"{role.name}: {name} and right again: nothing is lost", not wrong, brief(wrong))
        role.kill()
        role.start()
        wrong = h.compare(role)
        cases.check(f"{role.name}: after all jumps and kill -9: nothing is lost", not wrong, brief(wrong))
        ok, detail = taken_soon(role, kind, 99)
        cases.check(f"{role.name}: after all jumps and kill -9: what comes now is taken and found", ok, detail)


def clock_wrong_at_start(cases, kind):
    """A machine that boots without the right time, and gets it later."""
    for name, by in (("ten years ahead", 10 * YEAR), ("ten years back", -10 * YEAR)):
        with kind(shim=True) as role:
            h = with_blocks(kind, role)
            role.stop()
            role.control.rule(0, CLOCK, error=by)
            role.start()
            at = int(time.time() + by)
            if kind is Metrics:  # enough that the present is flushed, and old blocks might go
                for i in range(0, 5 * 3600, 60):
                    role.remote({"__name__": "fault_wrong"}, (at - 5 * 3600 + i) * 1000, 1.0)
                time.sleep(6)
            else:
                role.push("tenant0", {"job": "wrong"}, [(at * 10**9, "wrong")])
                role.flush()
            role.control.clear()
            role.restart()
            wrong = h.compare(role)
            cases.check(f"{role.name}: started {name}: nothing is lost when the clock is right again", not wrong, brief(wrong))
            ok, detail = taken_soon(role, kind, 1)
            cases.check(f"{role.name}: started {name}: what comes then is taken and found", ok, detail)


def main():
    cases = Cases()
    for kind, make in KINDS:
        two_processes(cases, kind, make)
        print(f"fault 12: {kind.name}: two processes on one folder")
        clock_jumps(cases, kind)
        clock_wrong_at_start(cases, kind)
        print(f"fault 13: {kind.name}: the clock jumps an hour and ten years, there and back, running and at start")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
