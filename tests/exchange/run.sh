#!/bin/sh
# Text dumps in, Prometheus' blocks and text dumps out; Debian's promtool and Prometheus are the judges.
exec python3 "$(dirname "$0")/exchange.py"
