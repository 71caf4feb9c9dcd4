#!/bin/bash
# Runs every fuzz target for SECONDS (default 60) from its kept corpus in build-fuzz/corpus/. A crash fails the run and
# leaves its input in build-fuzz/.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-60}
cmake --preset fuzz >/dev/null && ninja -C build-fuzz || exit 1
passed=0
failed=0
for target in build-fuzz/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    mkdir -p build-fuzz/corpus/"$name"
    if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix=build-fuzz/"$name"- \
        build-fuzz/corpus/"$name" $([ -d fuzz/seeds/"$name" ] && echo fuzz/seeds/"$name") >build-fuzz/"$name".log 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        tail -n 30 build-fuzz/"$name".log
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
