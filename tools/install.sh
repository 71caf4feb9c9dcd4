#!/bin/sh
# Installs the Debian packages of the named groups (tools/packages.txt) that are missing. Needs root only when
# something is missing. Never leaves a packaged service running: a policy-rc.d guard refuses every start meanwhile, and
# services that a package enabled are disabled.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
missing=""
for group in "$@"; do
    for package in $(awk -v g="$group" '$1 == g {print $2}' "$here/packages.txt"); do
        # A command that is already there from elsewhere (a newer Node, say) counts as installed.
        case $package in
        nodejs) command -v node >/dev/null 2>&1 && continue ;;
        npm) command -v npm >/dev/null 2>&1 && continue ;;
        esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "These packages are missing and need root to install:$missing" >&2
    echo "Run: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing:$missing"
guard=/usr/sbin/policy-rc.d
made_guard=""
if [ ! -e $guard ]; then
    printf '#!/bin/sh\nexit 101\n' >$guard
    chmod +x $guard
    made_guard=yes
fi
trap '[ -z "$made_guard" ] || rm -f $guard' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words on purpose
apt-get install -y -qq --no-install-recommends $missing >/tmp/cairn-install.log 2>&1 || {
    tail -20 /tmp/cairn-install.log >&2
    exit 1
}
if [ -d /run/systemd/system ]; then
    for service in prometheus prometheus-node-exporter victoria-metrics; do
        case " $missing " in *" $service "*) systemctl disable --now "$service" >/dev/null 2>&1 || true ;; esac
    done
fi
