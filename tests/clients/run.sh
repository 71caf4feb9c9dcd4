#!/bin/sh
# Real clients and agents against the real program.
exec python3 "$(dirname "$0")/clients.py"
