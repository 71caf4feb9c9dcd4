#!/bin/sh
# The agent: killed again and again, nothing lost.
exec python3 "$(dirname "$0")/crash.py" "${CAIRN:-build/cairn}" "${CRASH_KILLS:-10}"
