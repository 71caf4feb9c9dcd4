#!/bin/sh
# Prints the Python that has moto, which plays AWS and recomputes every signature with AWS' own library; made from PyPI when it is not there.
# Exit status 1 when it cannot be had: the caller says what was left out.
set -eu
venv=$(cd "$(dirname "$0")/../.." && pwd)/build/aws-venv
if ! "$venv/bin/python" -c 'import moto.server' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" -q --disable-pip-version-check install 'moto[s3,secretsmanager,server,ssm,sts]==5.2.5' >&2
fi
echo "$venv/bin/python"
