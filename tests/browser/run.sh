#!/bin/sh
# The real program in a real browser. Needs build/cairn (or $CAIRN), ui/node_modules and Debian's chromium.
# With --pictures it runs for seven minutes and renews docs/screenshots.
set -eu
cd "$(dirname "$0")/../.."
[ -d ui/node_modules/playwright-core ] || tools/build_ui.sh >&2
exec node tests/browser/browser.mjs "$@"
