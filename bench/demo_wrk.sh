#!/bin/bash
# What the sample application does under wrk: requests a second and processor core, and latency at 100 connections.
# Usage: bench/demo_wrk.sh [path/to/cairn] [seconds]; needs wrk. Prints a line for each route and fails when one is below
# 50,000 requests a core-second or p95 is above 5 ms. The log goes to a file, as in real use.
set -eu
cairn=${1:-build/cairn} seconds=${2:-5} port=${PORT:-5055}
work=$(mktemp -d)
"$cairn" demo --port="$port" --log-path="$work/app.log" --traffic-rate=0 2>"$work/err" &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 50); do
    curl -fs "http://127.0.0.1:$port/health" >/dev/null 2>&1 && break
    kill -0 $pid || { cat "$work/err"; exit 1; }
    sleep 0.1
done

cpu_ticks() { # user and system time of the program, in ticks
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat"
}
cat >"$work/report.lua" <<'LUA'
done = function(summary, latency)
    io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(95),
        latency:percentile(99)))
end
LUA

hz=$(getconf CLK_TCK) bad=0
printf '%-16s %14s %18s %10s %10s\n' route requests/s requests/core-s p95 p99
for path in / /api/data /api/users/7 /api/error; do
    before=$(cpu_ticks)
    result=$(wrk -t1 -c100 -d"${seconds}s" -s "$work/report.lua" "http://127.0.0.1:$port$path" | grep ^RESULT)
    after=$(cpu_ticks)
    : >"$work/app.log"
    read -r _ requests micros p95 p99 <<<"$result"
    awk -v path="$path" -v n="$requests" -v us="$micros" -v p95="$p95" -v p99="$p99" -v ticks=$((after - before)) \
        -v hz="$hz" 'BEGIN {
            core = n / (ticks / hz)
            printf "%-16s %14.0f %18.0f %7.2f ms %7.2f ms\n", path, n / us * 1e6, core, p95 / 1e3, p99 / 1e3
            exit core < 50000 || p95 > 5000
        }' || bad=1
done
[ $bad -eq 0 ] || echo "below 50,000 requests a core-second or above 5 ms"
exit $bad
