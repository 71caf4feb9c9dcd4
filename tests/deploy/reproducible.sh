#!/bin/bash
# The same sources, built in two places by two umasks, time zones and locales without a compiler cache, give the same release, bit for bit:
# web app, packages, image, tarballs and lists, for this machine and for arm64. Takes minutes. Prints "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
native=$(dpkg --print-architecture)
arches=$native
[ "$native" = arm64 ] || arches="$native arm64"
commit=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH CCACHE_DISABLE=1

build() { # build PLACE
    local arch programs=""
    git clone -q . "$1" && git -C "$1" checkout -q --detach "$commit" || return 1 # what is committed: the release names its commit
    mkdir -p "$1/build"
    cp -a ui/node_modules "$1/ui/" && touch "$1/ui/node_modules/.cairn-install" && (cd "$1" && tools/build_ui.sh) || return 1
    for arch in $arches; do
        if [ "$arch" = "$native" ]; then
            programs="$programs build/cairn"
            (cd "$1" && cmake --preset release && ninja -C build cairn)
        else
            programs="$programs build-arm64/cairn"
            cp -a build/sysroot-arm64 "$1/build/"
            (cd "$1" && deploy/packages/cross.sh)
        fi || return 1
    done
    # shellcheck disable=SC2086 # a list of words
    (cd "$1" && deploy/image/make_dist.sh dist $programs)
}
tools/build_ui.sh
[ "$native" = arm64 ] || deploy/packages/sysroot.sh arm64 build/sysroot-arm64
(umask 022 && build "$work/a") >"$work/log" 2>&1 || tail -20 "$work/log"
echo "the first of two builds took $SECONDS s"
(umask 077 && export TZ=Asia/Tokyo LC_ALL=C && build "$work/another/place/with-a-longer-name") >"$work/log" 2>&1 || tail -20 "$work/log"
echo "both took $SECONDS s"
for file in "$work"/a/dist/*.*; do
    if cmp "$file" "$work/another/place/with-a-longer-name/dist/$(basename "$file")"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $(basename "$file") differs between two builds"
    fi
done
[ $passed -gt 0 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
