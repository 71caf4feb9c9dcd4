#!/bin/sh
# The public APIs of a running stack.
exec python3 "$(dirname "$0")/api.py"
