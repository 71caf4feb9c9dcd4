#!/bin/bash
# Remote write end to end, with the write-ahead log: samples for each core-second of the server's CPU time, peak memory and
# bytes on disk, of Cairn and its rivals in one run on the same requests.
#
# Usage: bench/ingest.sh [TARGETS] [SCRAPES]   (defaults 100 and 60; a target is one node exporter, about 500 series)
# CAIRN, PROMETHEUS and VICTORIAMETRICS name other programs than build/cairn and Debian's; a rival that is missing is left out.
# CHURN=1: every series of every scrape is new. CAPTURE=FILE: use this capture (bench/node_capture.py) instead of a new one.
set -eu
cd "$(dirname "$0")/.."
targets=${1:-100} scrapes=${2:-60}
cairn=${CAIRN:-build/cairn} prometheus=${PROMETHEUS:-prometheus} victoria=${VICTORIAMETRICS:-victoria-metrics}
capture=${CAPTURE:-build/bench/node.cap}
ninja -C build write_load_bench >/dev/null
mkdir -p build/bench
[ -f "$capture" ] || bench/node_capture.py "$capture"
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
hz=$(getconf CLK_TCK)

cpu_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
memory_kib() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
anonymous_kib() { awk '$1 == "RssAnon:" { print $2 }' "/proc/$1/status"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# measure NAME PORT READY_PATH WRITE_PATH COMMAND...
measure() {
    local name=$1 port=$2 ready=$3 path=$4 dir
    shift 4
    dir=$work/$name
    "$@" >"$work/$name.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        curl -fs "http://127.0.0.1:$port$ready" >/dev/null 2>&1 && break
        kill -0 $pid 2>/dev/null || { tail -5 "$work/$name.log"; exit 1; }
        sleep 0.1
    done
    local before after line
    before=$(cpu_ticks $pid)
    line=$(build/bench/write_load_bench --url="127.0.0.1:$port$path" --capture="$capture" --targets="$targets" \
        --scrapes="$scrapes" --connections=2 ${CHURN:+--churn} || true)
    after=$(cpu_ticks $pid)
    sleep 2
    echo "$line" | awk -v name="$name" -v ticks=$((after - before)) -v hz="$hz" -v peak="$(memory_kib $pid VmHWM)" \
        -v anon="$(anonymous_kib $pid)" -v disk="$(du -sk "$dir" | cut -f1)" '{
            printf "%-16s %12d %8d %14.0f %12.1f %10.1f %12.0f %12.2f\n", name, $4, $6, $4 / (ticks / hz), $10, peak / 1024,
                anon * 1024 / $8, disk * 1024 / $4 }'
    kill -9 $pid
    wait $pid 2>/dev/null || true
    pid=
}

printf '%-16s %12s %8s %14s %12s %10s %12s %12s\n' program samples refused samples/core-s seconds peak-MiB anon-B/series disk-B/sample
port=$(free_port)
echo 'global: {scrape_interval: 1h}' >"$work/empty.yml"
measure cairn "$port" /-/ready /api/v1/write "$cairn" serve --role=metrics --config.file="$work/empty.yml" \
    --storage.tsdb.path="$work/cairn" --web.listen-address="127.0.0.1:$port" --web.enable-remote-write-receiver
if command -v "$prometheus" >/dev/null; then
    port=$(free_port)
    measure prometheus "$port" /-/ready /api/v1/write "$prometheus" --config.file="$work/empty.yml" \
        --storage.tsdb.path="$work/prometheus" --web.listen-address="127.0.0.1:$port" --web.enable-remote-write-receiver
fi
if command -v "$victoria" >/dev/null; then
    port=$(free_port)
    measure victoriametrics "$port" /health /api/v1/write "$victoria" -storageDataPath="$work/victoriametrics" \
        -httpListenAddr="127.0.0.1:$port" -retentionPeriod=1
fi
