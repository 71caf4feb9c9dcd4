#!/bin/bash
# Builds and runs every test and check; the last line is "N passed, N failed". Each stage prints its own counts; a stage
# that breaks without counting is one failure. Arguments name the stages to run (default: all).
set -u
cd "$(dirname "$0")/.."
out=build/test-logs
mkdir -p $out
passed=0
failed=0
started=$SECONDS
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
export npm_config_update_notifier=false

# stage NAME COMMAND...: runs it, adds up its "N passed, N failed" lines.
stage() {
    local name=$1 log=$out/$1.log from=$SECONDS
    shift
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then
        return
    fi
    "$@" >"$log" 2>&1
    local status=$? p f
    p=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$log" | awk '{s += $1} END {print s + 0}')
    f=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$log" | awk '{s += $3} END {print s + 0}')
    if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
    elif [ $status -eq 0 ] && [ "$p" -eq 0 ]; then
        p=1 # a stage without cases of its own (a build) is one check
    fi
    passed=$((passed + p))
    failed=$((failed + f))
    printf '%-14s %5d passed, %d failed  (%d s)\n' "$name" "$p" "$f" $((SECONDS - from))
    if [ "$f" -gt 0 ]; then
        grep -nE 'FAILED|[Ff]ailed:|error:|ERROR|not ok|Error:' "$log" | head -20
        tail -n 15 "$log" | sed 's/^/    /'
    fi
}

build() {
    cmake --preset "$1" && ninja -C "$2" && return 0
    return 1
}

unit_tests() {
    local bad=0 t
    for t in build-dev/tests/unit/unit_*; do
        [ -x "$t" ] || continue
        echo "== $t"
        timeout 600 "$t" || bad=1
    done
    return $bad
}

script() {
    [ ! -x "$1" ] || "$@"
}

web_checks() {
    [ ! -f ui/package.json ] || (cd ui && npm run --silent check && npm run --silent test)
}

wanted=("$@")
stage web-build tools/build_ui.sh
stage web-tests web_checks
stage build-dev build dev build-dev
stage unit unit_tests
stage build-clang build clang build-clang
stage lint tools/lint.sh
stage build-release build release build
for s in tests/api/run.sh tests/apart/run.sh tests/crash/run.sh tests/faults/run.sh tests/memory/run.sh tests/backup/run.sh tests/agent/run.sh tests/clients/run.sh tests/promdir/run.sh tests/exchange/run.sh tests/browser/run.sh tests/deploy/run.sh; do
    [ -x $s ] && stage "$(basename "$(dirname $s)")" $s
done
echo "logs: $out; $((SECONDS - started)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
