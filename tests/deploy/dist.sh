#!/bin/bash
# What `make dist` makes: all of it there, the checksums right, and the same again in another place, time zone and umask.
# Prints "N passed, N failed".
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
        tail -5 "$work/out"
    fi
}
program=${CAIRN:-build/cairn}
check "everything is made" deploy/image/make_dist.sh "$work/one" "$program"
check "and again, with the same bytes" sh -c "umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 deploy/image/make_dist.sh '$work/two' '$program' &&
    cmp '$work/one/SHA256SUMS' '$work/two/SHA256SUMS'"
check "the checksums are those of the files" sh -c "cd '$work/one' && sha256sum --strict --quiet -c SHA256SUMS"
for kind in 'cairn_*.deb' 'cairn-compat_*_all.deb' 'cairn-*-image.tar' 'cairn-*-linux-*.tar.gz' 'cairn-*.cdx.json'; do
    check "there is one $kind" sh -c "ls '$work/one'/$kind && grep -q '  ${kind%%\**}' '$work/one/SHA256SUMS'"
done
check "the tarball holds the same list" sh -c "cd '$work/one' && mkdir x && tar xzf cairn-*-linux-*.tar.gz -C x && cmp x/*/share/doc/cairn/sbom.cdx.json cairn-*.cdx.json"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
