#!/bin/sh
# Fault 14 in its long form: appends, flushes, merges, retention, deletions, queries and snapshots at once, under ThreadSanitizer,
# for STORM_SECONDS (default 600). The short form is a unit test.
set -eu
cd "$(dirname "$0")/../.."
cmake --preset tsan >/dev/null
ninja -C build-tsan unit_metrics_tsdb >build-tsan/storm-build.log || { tail -30 build-tsan/storm-build.log; exit 1; }
CAIRN_STORM_SECONDS="${STORM_SECONDS:-600}" build-tsan/tests/unit/unit_metrics_tsdb everything_at_once
