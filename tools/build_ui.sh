#!/bin/sh
# Builds the web app when its sources changed since the last build. ui/dist is what the program embeds.
set -eu
cd "$(dirname "$0")/../ui"
[ -f package.json ] || exit 0
stamp=node_modules/.cairn-install
if [ ! -f $stamp ] || [ package-lock.json -nt $stamp ]; then
    echo "web app: installing packages"
    npm ci --no-audit --no-fund --loglevel=error
    touch $stamp
fi
if [ ! -f dist/index.html ] || [ -n "$(find src scripts index.html package.json vite.config.ts public -newer dist/index.html -type f 2>/dev/null | head -1)" ]; then
    echo "web app: building"
    npm run --silent build
fi
