#!/bin/bash
# A million series over two hours, as issue-sized figures: memory a series before and after every series was queried, then
# `kill -9`, the time to the first accepted write, to everything queryable, CPU and peak memory of the restart; and the same after a stop.
#
# Usage: bench/million.sh [TARGETS] [SCRAPES]   (defaults 2000 and 480: 1,014,000 series, 15 s apart; a target is about 507 series)
# Wants a quiet machine, some 8 GB of disk in the temporary folder and half an hour. CAIRN names another program, CAPTURE
# another capture. BARE=1: nothing but the restart, of the data folder DATA that an earlier run kept with KEEP=1.
set -eu
cd "$(dirname "$0")/.."
targets=${1:-2000} scrapes=${2:-480}
cairn=${CAIRN:-build/cairn}
capture=${CAPTURE:-build/bench/node.cap}
ninja -C build write_load_bench >/dev/null
mkdir -p build/bench
[ -f "$capture" ] || bench/node_capture.py "$capture"
work=$(mktemp -d)
data=${DATA:-$work/data}
pid=
trap '[ -z "$pid" ] || { kill -9 $pid; wait $pid; } 2>/dev/null; [ -n "${KEEP:-}" ] && mv "$work" "${KEEP_AS:-$work.kept}" || rm -rf "$work"' EXIT
hz=$(getconf CLK_TCK)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo 'global: {scrape_interval: 1h}' >"$work/empty.yml"

serve() {
    "$cairn" serve --role=metrics --config.file="$work/empty.yml" --storage.tsdb.path="$data" \
        --web.listen-address="127.0.0.1:$port" --web.enable-remote-write-receiver >>"$work/log" 2>&1 &
    pid=$!
}
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat"; }
status_kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }
anonymous_kib() { awk '/^Anonymous:/ { print $2 }' "/proc/$pid/smaps_rollup"; }
now() { date +%s.%N; }
metric() { curl -s "http://127.0.0.1:$port/metrics" | awk -v name="$1" '$1 == name { printf "%.3f", $2 }'; }
write_one() { # one target, one scrape
    build/bench/write_load_bench --url="127.0.0.1:$port/api/v1/write" --capture="$capture" --targets=1 --scrapes=1 \
        --connections=1 >/dev/null 2>&1
}
wait_ready() {
    until curl -fs "http://127.0.0.1:$port/-/ready" >/dev/null 2>&1; do
        kill -0 $pid 2>/dev/null || { tail -5 "$work/log"; exit 1; }
        sleep 0.02
    done
}
row() { printf '%-48s %s\n' "$1" "$2"; }
per_series() { awk -v k="$1" -v n="$series" 'BEGIN { printf "%.0f", k * 1024 / n }'; }

# Every series by name, in 256 parts, and all of them at once.
query_all() {
    local from until
    until=$(date +%s) from=$(($(date +%s) - 7200))
    for name in $(curl -s "http://127.0.0.1:$port/api/v1/label/__name__/values" | tr -d '[]"{}' | tr ',:' '\n\n' |
        grep -E '^[a-z_]+_' | head -400); do
        curl -s -o /dev/null --data-urlencode "query=sum(rate($name[5m]))" -d start=$from -d end=$until -d step=60 \
            "http://127.0.0.1:$port/api/v1/query_range"
    done
    curl -s --data-urlencode 'query=count({__name__=~".+"})' "http://127.0.0.1:$port/api/v1/query" | head -c 300
    echo
}

if [ -z "${BARE:-}" ]; then
    serve
    wait_ready
    began=$(ticks) since=$(now)
    line=$(build/bench/write_load_bench --url="127.0.0.1:$port/api/v1/write" --capture="$capture" --targets="$targets" \
        --scrapes="$scrapes" --connections=2)
    echo "$line"
    series=$(metric prometheus_tsdb_head_series | cut -d. -f1)
    samples=$(echo "$line" | awk '{ print $4 }')
    row "series, samples" "$series, $samples"
    row "server CPU a sample while writing" "$(awk -v t=$(($(ticks) - began)) -v hz="$hz" -v n="$samples" \
        'BEGIN { printf "%.0f ns", t / hz * 1e9 / n }')"
    row "seconds of writing" "$(echo "$(now) - $since" | bc)"
    sleep 20 # housekeeping comes every five seconds
    row "anonymous bytes a series before queries" "$(per_series "$(anonymous_kib)")"
    began=$(ticks)
    query_all
    row "server CPU of the queries" "$(awk -v t=$(($(ticks) - began)) -v hz="$hz" 'BEGIN { printf "%.1f s", t / hz }')"
    sleep 20
    row "anonymous bytes a series after queries" "$(per_series "$(anonymous_kib)")"
    before=$(status_kib VmHWM)
    row "RSS, peak before the kill" "$(status_kib VmRSS), $before KiB"
    row "log on disk" "$(du -sh "$data/wal" | cut -f1)"
    { kill -9 $pid && wait $pid; } 2>/dev/null || true
fi
since=$(now)
serve
until write_one; do
    kill -0 $pid 2>/dev/null || { tail -5 "$work/log"; exit 1; }
done
row "kill -9 to the first accepted write" "$(echo "$(now) - $since" | bc) s"
wait_ready
row "kill -9 to everything queryable" "$(echo "$(now) - $since" | bc) s"
row "replay as the server measured it" "$(metric prometheus_tsdb_data_replay_duration_seconds) s"
row "CPU until then" "$(awk -v t="$(ticks)" -v hz="$hz" 'BEGIN { printf "%.1f s", t / hz }')"
[ -n "${samples:-}" ] && row "CPU a sample" "$(awk -v t="$(ticks)" -v hz="$hz" -v n="$samples" 'BEGIN { printf "%.0f ns", t / hz * 1e9 / n }')"
after=$(status_kib VmHWM)
row "peak RSS of the restart" "$after KiB"
[ -n "${before:-}" ] && row "of the peak before" "$(awk -v a="$after" -v b="$before" 'BEGIN { printf "%.2f", a / b }')"
row "series after the restart" "$(metric prometheus_tsdb_head_series | cut -d. -f1)"
row "checkpoint and sealed chunks on disk" "$(du -sh "$data/chunks" | cut -f1)"
since=$(now)
{ kill -TERM $pid && wait $pid; } 2>/dev/null || true
row "a stop takes" "$(echo "$(now) - $since" | bc) s"
since=$(now)
serve
wait_ready
row "start after a stop to everything queryable" "$(echo "$(now) - $since" | bc) s"
row "CPU until then" "$(awk -v t="$(ticks)" -v hz="$hz" 'BEGIN { printf "%.1f s", t / hz }')"
row "series after the stop" "$(metric prometheus_tsdb_head_series | cut -d. -f1)"
