#!/bin/bash
# What a series and a sample cost from ten thousand series to five million: the server's CPU time by remote write with the log on, and its
# anonymous memory. A new series is a first scrape; a sample of a known one is what ten more scrapes cost beside the first.
#
# Usage: bench/curve.sh [TARGETS...]   (defaults 20 195 1946 9728; a target is about 514 series)
# CAIRN names another program, CAPTURE another capture.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- 20 195 1946 9728
cairn=${CAIRN:-build/cairn}
capture=${CAPTURE:-build/bench/node.cap}
ninja -C build write_load_bench >/dev/null
mkdir -p build/bench
[ -f "$capture" ] || bench/node_capture.py "$capture"
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
hz=$(getconf CLK_TCK)
echo 'global: {scrape_interval: 1h}' >"$work/empty.yml"
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat"; }

# run TARGETS SCRAPES: sets cpu (ticks), series, samples, anonymous (KiB)
run() {
    local port before
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    rm -rf "$work/data"
    "$cairn" serve --role=metrics --config.file="$work/empty.yml" --storage.tsdb.path="$work/data" \
        --web.listen-address="127.0.0.1:$port" --web.enable-remote-write-receiver >"$work/log" 2>&1 &
    pid=$!
    until curl -fs "http://127.0.0.1:$port/-/ready" >/dev/null 2>&1; do
        kill -0 $pid || { tail -5 "$work/log"; exit 1; }
        sleep 0.05
    done
    before=$(ticks)
    read -r _ _ _ samples _ _ _ series _ < <(build/bench/write_load_bench --url="127.0.0.1:$port/api/v1/write" \
        --capture="$capture" --targets="$1" --scrapes="$2" --connections=2)
    cpu=$(($(ticks) - before))
    anonymous=$(awk '/^Anonymous:/ { print $2 }' "/proc/$pid/smaps_rollup")
    kill -9 $pid
    wait $pid 2>/dev/null || true
    pid=
}

printf '%10s %18s %24s %24s\n' series 'a new series, ns' 'a known sample, ns' 'anonymous bytes a series'
for targets in "$@"; do
    run "$targets" 1
    first=$cpu
    run "$targets" 11
    awk -v a="$first" -v b="$cpu" -v s="$series" -v k="$anonymous" -v hz="$hz" 'BEGIN {
        printf "%10d %18.0f %24.0f %24.0f\n", s, a / hz * 1e9 / s, (b - a) / hz * 1e9 / (s * 10), k * 1024 / s }'
done
