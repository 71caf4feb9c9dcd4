#!/bin/bash
# What takes longer than `make test` may: 50 kills under load, 10 minutes for each fuzz target.
set -u
cd "$(dirname "$0")/.."
bad=0
CRASH_KILLS=50 tests/crash/run.sh || bad=1
tools/fuzz.sh "${FUZZ_SECONDS:-600}" || bad=1
exit $bad
