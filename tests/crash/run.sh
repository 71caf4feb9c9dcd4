#!/bin/sh
# The crash test of `make test`; `make soak` runs it longer.
exec python3 "$(dirname "$0")/crash.py" "${CRASH_KILLS:-10}"
