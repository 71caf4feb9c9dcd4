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
for kind in 'cairn_*.deb' 'cairn-compat_*_all.deb' 'cairn-*-image.tar' 'cairn-*-linux-*.tar.gz' 'cairn-*.cdx.json' 'cairn-*.spdx.json'; do
    check "there is one $kind" sh -c "ls '$work/one'/$kind && grep -q '  ${kind%%\**}' '$work/one/SHA256SUMS'"
done
check "the tarball holds the same list" sh -c "cd '$work/one' && mkdir x && tar xzf cairn-*-linux-*.tar.gz -C x && cmp x/*/share/doc/cairn/sbom.cdx.json cairn-*.cdx.json"

# -- signatures ---------------------------------------------------------------------------------------------------

printf '\n\n' | minisign -G -W -p "$work/cairn.pub" -s "$work/cairn.key" >/dev/null 2>&1
printf '\n\n' | minisign -G -W -p "$work/other.pub" -s "$work/other.key" >/dev/null 2>&1
export GNUPGHOME="$work/gpg"
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-generate-key releases@example.org ed25519 sign never 2>/dev/null
check "both signatures are made" env CAIRN_SIGN_MINISIGN="$work/cairn.key" CAIRN_SIGN_GPG=releases@example.org deploy/image/sign.sh "$work/one"
verify() { (cd "$work/one" && minisign -V -q -p "$1" -m SHA256SUMS && gpg --batch --quiet --verify SHA256SUMS.asc SHA256SUMS &&
    sha256sum --check --strict --quiet --ignore-missing SHA256SUMS); }
check "what was released is what is here" verify "$work/cairn.pub"
check "another's key is refused" sh -c "cd '$work/one' && ! minisign -V -q -p '$work/other.pub' -m SHA256SUMS"
cp "$work/one/SHA256SUMS" "$work/sums"
sed -i '1s/^./x/' "$work/one/SHA256SUMS"
check "a changed checksum is refused by both" sh -c "cd '$work/one' && ! minisign -V -q -p '$work/cairn.pub' -m SHA256SUMS && ! gpg --batch --verify SHA256SUMS.asc SHA256SUMS"
cp "$work/sums" "$work/one/SHA256SUMS"
echo >>"$(ls "$work"/one/cairn_*.deb | head -1)"
check "a changed package is refused" sh -c "cd '$work/one' && ! sha256sum --check --strict --quiet --ignore-missing SHA256SUMS"
check "without a key nothing is signed, and that is said" sh -c "deploy/image/sign.sh '$work/two' 2>&1 | grep 'not signed' && ! ls '$work'/two/SHA256SUMS.*"
gpgconf --kill all
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
