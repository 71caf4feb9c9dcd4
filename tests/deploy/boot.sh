#!/bin/sh
# The long tests of make test-boot: the packages and user data on machines that boot, checkov, and builds that give the same bytes.
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || {
    echo "make test-boot needs root: it boots Debian in folders of its own" >&2
    exit 1
}
status=0
python3 tests/deploy/boot.py "$@" || status=1
[ $# -gt 0 ] || {
    tests/deploy/checkov.sh || status=1
    tests/deploy/reproducible.sh || status=1
}
exit $status
