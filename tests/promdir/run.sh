#!/bin/sh
# Data directories of real Prometheus servers: brought in, and opened in place. PROMETHEUS and PROMTOOL name other ones than Debian's,
# WILD_PROMETHEUS several with commas between, oldest first, and WILD_SEEDS and DAMAGE_SEEDS which directories are drawn (wild.py, damage.py).
here=$(dirname "$0")
status=0
python3 "$here/promdir.py" || status=1
python3 "$here/wild.py" --quick --seeds="${WILD_SEEDS:-1-6}" || status=1
python3 "$here/damage.py" --seeds="${DAMAGE_SEEDS:-1-3}" --times=6 || status=1
exit $status
