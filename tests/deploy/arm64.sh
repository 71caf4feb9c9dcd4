#!/bin/bash
# The arm64 packages: cross-built, made twice with the same bytes, and the program run under qemu. Prints "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        tail -20 "$work/out"
    fi
}
case $(dpkg --print-architecture) in
arm64)
    echo "skipped: this machine is arm64 itself, nothing is cross-built"
    exit 0
    ;;
esac
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
check "the program is cross-built" deploy/packages/cross.sh
check "its packages are made" deploy/packages/make_deb.sh build-arm64/cairn arm64 "$work/one"
check "and again, with the same bytes" sh -c "umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 deploy/packages/make_deb.sh build-arm64/cairn arm64 '$work/two' &&
    cmp '$work/one/SHA256SUMS' '$work/two/SHA256SUMS'"
native=$(dpkg --print-architecture)
check "cairn-compat is the same whoever made it" sh -c "deploy/packages/make_deb.sh '${CAIRN:-build/cairn}' $native '$work/native' &&
    cmp '$work'/one/cairn-compat_*.deb '$work'/native/cairn-compat_*.deb"
# The two architectures differ in the program alone.
contents() { # contents PACKAGE: names, modes and dependencies
    dpkg-deb -c "$1" | awk '{print $1, $2, $6}'
    dpkg-deb -f "$1" Package Version Depends
}
for arch in arm64 "$native"; do
    folder=$work/one
    [ "$arch" = arm64 ] || folder=$work/native
    contents "$folder"/cairn_*_"$arch".deb >"$work/$arch.contents"
done
check "both architectures hold the same files and depend on the same libraries" diff "$work/arm64.contents" "$work/$native.contents"
dpkg-deb -x "$work"/one/cairn_*_arm64.deb "$work/root"
echo "$passed passed, $failed failed"
python3 tests/deploy/arm64.py "$work/root/usr/bin/cairn" build/sysroot-arm64 && [ $failed -eq 0 ]
