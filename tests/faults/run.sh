#!/bin/sh
# Every fault of docs/faults.md that can be shown from outside. `run.sh long` tries more places, seeds and calls.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${CC:-gcc} -O2 -Wall -Wextra -fPIC -shared -o "$work/shim.so" shim.c -ldl
export FAULT_SHIM="$work/shim.so"
pids=""
for script in kills power damage disk host; do # they mostly wait: together
    (python3 "$script.py" "$@" >"$work/$script.log" 2>&1; echo $? >"$work/$script.rc") &
    pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done
cat "$work"/*.log
[ "${1:-}" != long ] || ./storm.sh
! grep -qv '^0$' "$work"/*.rc
