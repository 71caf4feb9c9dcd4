#!/bin/sh
# Signs the checksums of a release, and with them everything in it.
#
# Usage: CAIRN_SIGN_MINISIGN=SECRET_KEY_FILE CAIRN_SIGN_GPG=KEY_ID deploy/image/sign.sh OUT
#
# Either or both; with neither nothing is signed, which is said. A minisign key with a password asks for it; one for machines is made by
# minisign -G -W.
set -eu
cd "$1"
[ -f SHA256SUMS ] || { echo "sign.sh: there is no SHA256SUMS in $1; make dist first" >&2; exit 1; }
rm -f SHA256SUMS.minisig SHA256SUMS.asc
if [ -z "${CAIRN_SIGN_MINISIGN:-}${CAIRN_SIGN_GPG:-}" ]; then
    echo "not signed: neither CAIRN_SIGN_MINISIGN nor CAIRN_SIGN_GPG names a key" >&2
fi
if [ -n "${CAIRN_SIGN_MINISIGN:-}" ]; then
    # The trusted comment is signed too; it says what this is.
    what=$(ls cairn-*-image.tar 2>/dev/null | head -1)
    minisign -S -s "$CAIRN_SIGN_MINISIGN" -m SHA256SUMS -x SHA256SUMS.minisig -t "${what%-image.tar}" -c "checksums of cairn" >/dev/null
fi
if [ -n "${CAIRN_SIGN_GPG:-}" ]; then
    gpg --batch --yes --armor --local-user "$CAIRN_SIGN_GPG" --output SHA256SUMS.asc --detach-sign SHA256SUMS
fi
