#!/bin/sh
# The data directory of a real Prometheus: brought in, and opened in place. PROMETHEUS and PROMTOOL name other ones than Debian's.
exec python3 "$(dirname "$0")/promdir.py"
