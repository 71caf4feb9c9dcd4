#!/bin/sh
# Everything a release consists of, from built programs: packages, the container image, the tarball for other distributions and the
# lists of what is inside, with their checksums, signed when a key is named (sign.sh). The same commit gives the same bytes.
#
# Usage: [CAIRN_SIGN_MINISIGN=FILE] [CAIRN_SIGN_GPG=ID] deploy/image/make_dist.sh OUT PROGRAM...
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."
out=$1
shift
rm -rf "$out"
mkdir -p "$out"
version=$(sed -nE 's/^project\(cairn VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
for program in "$@"; do
    case $(readelf -h "$program" | sed -n 's/.*Machine: *//p') in
    AArch64) arch=arm64 ;;
    *) arch=amd64 ;;
    esac
    deploy/packages/make_deb.sh "$program" $arch "$out" >/dev/null
    deploy/image/make_tarball.py "$out" "$program" >/dev/null
    deploy/image/sbom.py "$program" "$out/cairn-$version-$arch.cdx.json" >/dev/null
    deploy/image/spdx.py "$program" "$out/cairn-$version-$arch.spdx.json" >/dev/null
done
deploy/image/make_image.py "$out" "$@"
(cd "$out" && sha256sum -- *.deb *.tar *.tar.gz *.json >SHA256SUMS)
cat "$out/SHA256SUMS"
deploy/image/sign.sh "$out"
