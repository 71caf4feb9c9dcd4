#!/bin/bash
# Unpacks Debian 12's libraries of another architecture into a folder that the cross compiler takes as its root. Nothing is installed
# on this machine and no root is needed: apt works on a state of its own. The packages are those of tools/packages.txt that end in -dev.
# dpkg --admindir=DIR/var/lib/dpkg answers for what is there.
#
# Usage: deploy/packages/sysroot.sh ARCH DIR     MIRROR, SECURITY name other places than Debian's
set -euo pipefail
cd "$(dirname "$0")/../.."
arch=$1 dir=$2
mirror=${MIRROR:-http://deb.debian.org/debian} security=${SECURITY:-http://deb.debian.org/debian-security}
mapfile -t packages < <(awk '$1 == "run" && $2 ~ /-dev$/ {print $2}' tools/packages.txt)
wanted="2 $arch $mirror $security ${packages[*]}"
if [ "$(cat "$dir/.made-of" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
rm -rf "$dir"
mkdir -p "$dir/.apt/lists/partial" "$dir/.apt/cache/archives/partial" "$dir/usr/lib" "$dir/usr/bin" "$dir/usr/sbin" "$dir/var/lib/dpkg/info"
dir=$(cd "$dir" && pwd)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
printf 'deb [signed-by=%s] %s %s main\n' $keys "$mirror" bookworm $keys "$mirror" bookworm-updates $keys "$security" bookworm-security >"$dir/.apt/sources"
: >"$dir/.apt/status"
cat >"$dir/.apt/conf" <<TXT
Dir::State "$dir/.apt";
Dir::State::status "$dir/.apt/status";
Dir::Cache "$dir/.apt/cache";
Dir::Etc::sourcelist "$dir/.apt/sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Debug::NoLocking "true";
DPkg::Post-Invoke { };
APT::Update::Post-Invoke { };
APT::Update::Post-Invoke-Success { };
TXT
export APT_CONFIG=$dir/.apt/conf
apt-get -qq update
apt-get -qq --yes --download-only install "${packages[@]}" >/dev/null
for link in bin sbin lib; do
    ln -s usr/$link "$dir/$link"
done
for deb in "$dir"/.apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$dir" --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./dev
    { dpkg-deb -f "$deb"; printf 'Status: install ok installed\n\n'; } >>"$dir/var/lib/dpkg/status"
    dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's#^\.##; s#/$##; /^$/d' >"$dir/var/lib/dpkg/info/$(dpkg-deb -f "$deb" Package).list"
done
# Links that begin at the root would lead out of the folder.
find "$dir" -type l -lname '/*' | while read -r link; do
    ln -sfnr "$dir$(readlink "$link")" "$link"
done
rm -rf "$dir/.apt/cache" "$dir/.apt/lists"
echo "$wanted" >"$dir/.made-of"
