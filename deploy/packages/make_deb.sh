#!/bin/bash
# Makes cairn_VERSION_ARCH.deb and cairn-compat_VERSION_all.deb from a built program. The same inputs give the same bytes: times
# come from the last commit, owners are root, names are sorted.
#
# Usage: deploy/packages/make_deb.sh [PROGRAM] [ARCH] [OUT]     defaults build/cairn, this machine's, build/packages; the program of
#        another architecture is run by qemu over the libraries of deploy/packages/sysroot.sh
set -eu -o pipefail
cd "$(dirname "$0")/../.."
program=${1:-build/cairn} arch=${2:-$(dpkg --print-architecture)} out=${3:-build/packages}
version=$(sed -nE 's/^project\(cairn VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
strip=strip runner=()
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
    [ "$arch" = arm64 ] || { echo "make_deb.sh: there is no recipe to cross-build for $arch, only for arm64" >&2; exit 2; }
    strip=aarch64-linux-gnu-strip
    runner=(qemu-aarch64-static -L build/sysroot-arm64)
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
mkdir -p "$out"

unit() { # unit NAME > file: the unit with its confinement
    sed -e '/^@HARDENING@$/{' -e 'r deploy/systemd/hardening.inc' -e 'd' -e '}' "deploy/systemd/$1.in" | sed '/^# Part of every unit/d'
}
put() { # put MODE FROM TO
    install -D -m "$1" "$2" "$root/$3"
}
# The libraries the program needs, as Debian names them: the same names for every architecture, so this machine's dpkg knows them.
depends() {
    readelf -d "$root/usr/bin/cairn" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | while read -r lib; do
        dpkg -S "/usr/lib/*/$lib" "/lib/*/$lib" 2>/dev/null | head -1 | cut -d: -f1
    done | sort -u | grep -v '^libgcc' | paste -sd, | sed 's/,/, /g'
}
control() { # control NAME ARCH DEPENDS DESCRIPTION...
    local size
    size=$(du -sk --apparent-size "$root" | cut -f1)
    mkdir -p "$root/DEBIAN"
    cat >"$root/DEBIAN/control" <<TXT
Package: $1
Version: $version
Architecture: $2
Maintainer: The Cairn authors <maintainers@cairn.invalid>
Installed-Size: $size
Depends: $3
Section: net
Priority: optional
Homepage: https://cairn.invalid/
$4
TXT
}
# What Debian's policy asks to stand beside the program; CHANGELOG.md is the one that people write.
papers() { # papers NAME
    put 0644 deploy/packages/copyright "usr/share/doc/$1/copyright"
    put 0644 "deploy/packages/$1/overrides" "usr/share/lintian/overrides/$1"
    printf '%s (%s) stable; urgency=medium\n\n  * /usr/share/doc/cairn/CHANGELOG.md.gz says what is new.\n\n -- The Cairn authors <maintainers@cairn.invalid>  %s\n' \
        "$1" "$version" "$(LC_ALL=C date -u -R --date="@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root/usr/share/doc/$1/changelog.gz"
}
manual() { # manual PAGE
    mkdir -p "$root/usr/share/man/man${1##*.}"
    gzip -9n <"docs/man/$1" >"$root/usr/share/man/man${1##*.}/$1.gz"
}
finish() { # finish FILE: checksums, times, package
    (cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs -r md5sum) >"$root/DEBIAN/md5sums"
    find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0 -r touch -h --date="@$SOURCE_DATE_EPOCH"
    dpkg-deb --root-owner-group -Zxz --build "$root" "$out/$1" >/dev/null
    echo "$out/$1"
}

root=$work/cairn
install -D -m 0755 "$program" "$root/usr/bin/cairn"
$strip --strip-unneeded --remove-section=.comment "$root/usr/bin/cairn"
mkdir -p "$root/lib/systemd/system" "$root/etc/cairn" "$root/usr/share/bash-completion/completions" \
    "$root/usr/share/zsh/vendor-completions" "$root/usr/share/fish/vendor_completions.d"
for u in cairn.service cairn@.service cairn-backup.service; do
    unit $u >"$root/lib/systemd/system/$u"
done
put 0644 deploy/systemd/cairn.sysusers usr/lib/sysusers.d/cairn.conf
put 0644 deploy/systemd/cairn.tmpfiles usr/lib/tmpfiles.d/cairn.conf
put 0644 deploy/packages/cairn/default etc/default/cairn
put 0600 deploy/packages/cairn/backup etc/default/cairn-backup # may hold the keys of a bucket
put 0644 deploy/systemd/cairn-backup.timer lib/systemd/system/cairn-backup.timer
for role in metrics logs dashboards; do
    put 0644 deploy/systemd/cairn-$role.socket lib/systemd/system/cairn-$role.socket
done
put 0644 docs/backup.md usr/share/doc/cairn/backup.md
put 0644 README.md usr/share/doc/cairn/README.md
papers cairn
deploy/image/notices.py | gzip -9n >"$root/usr/share/doc/cairn/web-app-licences.gz"
gzip -9n <CHANGELOG.md >"$root/usr/share/doc/cairn/CHANGELOG.md.gz"
manual cairn.1
manual cairn-backup.1
ln -s cairn-backup.1.gz "$root/usr/share/man/man1/cairn-restore.1.gz"
"${runner[@]}" "$program" completion bash >"$root/usr/share/bash-completion/completions/cairn"
"${runner[@]}" "$program" completion zsh >"$root/usr/share/zsh/vendor-completions/_cairn"
"${runner[@]}" "$program" completion fish >"$root/usr/share/fish/vendor_completions.d/cairn.fish"
control cairn "$arch" "$(depends)" "Description: metrics, logs and dashboards in one small program
 Cairn scrapes, stores and queries metrics, follows, ships, stores and queries
 logs, and serves dashboards of both. It reads the configuration files of
 Prometheus, Loki, Promtail and Grafana and speaks their APIs."
printf '/etc/default/cairn\n/etc/default/cairn-backup\n' >"$root/DEBIAN/conffiles"
for script in preinst postinst prerm postrm; do
    install -m 0755 "deploy/packages/cairn/$script" "$root/DEBIAN/$script"
done
finish "cairn_${version}_$arch.deb"

root=$work/compat
mkdir -p "$root/lib/systemd/system"
for u in prometheus loki promtail grafana-server flask-app; do
    unit "$u.service" >"$root/lib/systemd/system/$u.service"
done
put 0755 deploy/packages/cairn-compat/cairn-compat usr/sbin/cairn-compat
put 0644 deploy/packages/cairn-compat/logrotate etc/logrotate.d/flask-app
put 0644 deploy/systemd/cairn-compat.tmpfiles usr/lib/tmpfiles.d/cairn-compat.conf
papers cairn-compat
manual cairn-compat.8
control cairn-compat all "cairn (>= $version), logrotate" "Conflicts: prometheus, loki, promtail, grafana
Description: Cairn under the unit names of Prometheus, Loki, Promtail and Grafana
 Units prometheus, loki, promtail, grafana-server and flask-app that run one
 role of Cairn each from the original's own files, so that runbooks that
 restart those services keep working."
echo /etc/logrotate.d/flask-app >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 0755 "deploy/packages/cairn-compat/$script" "$root/DEBIAN/$script"
done
finish "cairn-compat_${version}_all.deb"
(cd "$out" && LC_ALL=C sha256sum ./*.deb >SHA256SUMS)
