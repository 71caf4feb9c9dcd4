#!/usr/bin/env python3
"""Kills a loaded Cairn N times (default 10) with SIGKILL and finds every acknowledged sample and line again.

Four writers send remote write and pushes all the time; what was acknowledged with a 2xx is remembered. After each kill
the program starts again on the same data; after the last one everything remembered must be answered by queries. Prints
the seed; CAIRN_TEST_SEED repeats a run's timing as far as the machine allows.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from load import LineWriter, SampleWriter  # noqa: E402
from stack import Cases, Stack  # noqa: E402

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10


def main():
    seed = int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 10**9))
    print(f"seed {seed}")
    rng, cases = random.Random(seed), Cases()
    with Stack(demo=True) as stack:
        writers = [SampleWriter(stack, 0), SampleWriter(stack, 1), LineWriter(stack, 2), LineWriter(stack, 3)]
        for w in writers:
            w.start()
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.3, 2.0))
            stack.kill()
            cases.run("starts again", stack.start)
        time.sleep(1)
        for w in writers:
            w.stop_now = True
        for w in writers:
            w.join(30)
        for w in writers:
            lost = w.lost(stack)
            kind = type(w).__name__
            cases.check(f"{kind} {w.number} wrote something", len(w.acknowledged) > 10, str(len(w.acknowledged)))
            cases.check(f"{kind} {w.number} keeps every one of {len(w.acknowledged)}", not lost,
                        f"{len(lost)} lost, first {lost[:5]}")
            print(f"{kind} {w.number}: {len(w.acknowledged)} acknowledged, {len(lost)} lost")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
