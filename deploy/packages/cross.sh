#!/bin/sh
# Cross-builds the program for arm64, at build-arm64/cairn. On an arm64 machine `make build` does that already.
set -eu
cd "$(dirname "$0")/../.."
deploy/packages/sysroot.sh arm64 build/sysroot-arm64
cmake --preset arm64 >build/arm64.log 2>&1 || {
    cat build/arm64.log
    exit 1
}
ninja -C build-arm64 cairn
