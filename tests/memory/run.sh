#!/bin/sh
# The memory promise, seen from outside.
exec python3 "$(dirname "$0")/memory.py"
