#!/bin/bash
# Every benchmark, beside the rivals that are installed; `make bench` installs Debian's. Writes what it prints to
# build/bench/results.txt. CAIRN, PROMETHEUS and VICTORIAMETRICS name other programs. Figures are CPU time, memory and bytes;
# compare within one run only.
set -u
cd "$(dirname "$0")/.."
mkdir -p build/bench
ninja -C build benches >build/bench/build.log 2>&1 || { tail build/bench/build.log; exit 1; }
capture=${CAPTURE:-build/bench/node.cap}
[ -f "$capture" ] || bench/node_capture.py "$capture"
export CAPTURE=$capture
part() { # part TITLE COMMAND...
    echo
    echo "## $1"
    shift
    "$@" || echo "(ended with status $?)"
}
{
    echo "# $(date -u +%F), $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo)"
    part "remote write, known series" bench/ingest.sh 100 60
    part "remote write, every series new" env CHURN=1 bench/ingest.sh 20 20
    part "cost by number of series" bench/curve.sh
    part "value codec, chunks of 120" build/bench/values_bench "$capture" 120
    part "value codec, chunks of 480" build/bench/values_bench "$capture" 480
    part "queries, 20 targets, 4 hours" bench/queries.py 20 960 60
    part "libcairn" build/bench/client_bench
    part "sample application" bench/demo_wrk.sh
    part "agent" bench/agent.py "${CAIRN:-build/cairn}"
    for program in build/bench/*_bench; do
        case $program in */write_load_bench | */values_bench | */client_bench) continue ;; esac
        part "$(basename "$program" _bench)" "$program"
    done
} 2>&1 | tee build/bench/results.txt
