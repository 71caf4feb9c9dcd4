#!/bin/sh
# The public APIs of a running stack, and of the metrics role alone; PromQL scripts.
here=$(dirname "$0")
status=0
python3 "$here/api.py" || status=1
python3 "$here/metrics_role.py" || status=1
python3 "$here/tail.py" || status=1
"${CAIRN:-$here/../../build/cairn}" test promql "$here"/../promql/*.test || status=1
exit $status
