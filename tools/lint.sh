#!/bin/bash
# House rules, formatting, clang-tidy, shell and Python syntax. Prints "N passed, N failed" lines.
set -u
cd "$(dirname "$0")/.."
bad=0
tools/house.py || bad=1

files=$(git ls-files -- '*.c' '*.h' | while read -r f; do [ -f "$f" ] && echo "$f"; done)
unformatted=$(echo "$files" | xargs -r clang-format --dry-run 2>&1 | grep -oE '^[^ :]+\.[ch]' | sort -u)
count=$(echo "$unformatted" | grep -c .)
[ "$count" -eq 0 ] || { echo "run clang-format -i on:"; echo "$unformatted"; bad=1; }
echo "format: $(($(echo "$files" | wc -l) - count)) passed, $count failed"

if [ -f build-clang/compile_commands.json ]; then
    # The analyzer proper is slow: LINT_DEEP=1 turns it on.
    checks=${LINT_DEEP:+-checks=*,clang-analyzer-*}
    sources=$(git ls-files -- 'src/*.c')
    # shellcheck disable=SC2086 # options on purpose
    tidy=$(echo "$sources" | xargs -P2 -n4 clang-tidy -p build-clang --quiet $checks 2>/dev/null | grep -E 'warning:|error:' | sort -u)
    count=$(echo "$tidy" | grep -c .)
    [ "$count" -eq 0 ] || { echo "$tidy"; bad=1; }
    echo "clang-tidy: $(echo "$sources" | wc -l) passed, $count failed"
fi

for s in $(git ls-files -- '*.sh' .ci/run); do
    bash -n "$s" || { bad=1; echo "shell: 0 passed, 1 failed"; }
done
exit $bad
