#!/bin/sh
# Fault 14 in its long form, under ThreadSanitizer, for STORM_SECONDS (default 600): the store alone with columns, remote writes, late samples, new
# series, flushes, merges, retention, deletions, queries and snapshots at once (its short form is a unit test), and the whole program that scrapes.
set -eu
cd "$(dirname "$0")/../.."
seconds="${STORM_SECONDS:-600}"
cmake --preset tsan >/dev/null
ninja -C build-tsan unit_metrics_tsdb cairn >build-tsan/storm-build.log || { tail -30 build-tsan/storm-build.log; exit 1; }
CAIRN_STORM_SECONDS="$seconds" build-tsan/tests/unit/unit_metrics_tsdb everything_at_once
CAIRN="$PWD/build-tsan/cairn" python3 tests/faults/storm.py "$seconds"
