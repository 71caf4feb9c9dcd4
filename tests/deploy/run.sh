#!/bin/bash
# The packages: made twice with the same bytes, units that systemd accepts and scores at most 1.5, scripts that the shell accepts,
# and files where they belong. Prints "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0
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

check "the packages are made" deploy/packages/make_deb.sh "${CAIRN:-build/cairn}" "$(dpkg --print-architecture)" "$work/one"
check "and again, with the same bytes" sh -c "umask 077; TZ=Asia/Tokyo deploy/packages/make_deb.sh '${CAIRN:-build/cairn}' \
    '$(dpkg --print-architecture)' '$work/two' && cmp '$work/one/SHA256SUMS' '$work/two/SHA256SUMS'"

root=$work/root
mkdir "$root"
for deb in "$work"/one/*.deb; do
    check "$(basename "$deb") unpacks" dpkg-deb -x "$deb" "$root"
done
check "the program runs from the package" sh -c "'$root/usr/bin/cairn' version"
for file in usr/share/man/man1/cairn-restore.1.gz usr/share/man/man8/cairn-compat.8.gz usr/lib/sysusers.d/cairn.conf usr/sbin/cairn-compat \
    etc/logrotate.d/flask-app; do
    check "$file is there" test -s "$root/$file"
done
check "the licences of the web app's packages go along" sh -c "gzip -dc '$root/usr/share/doc/cairn/web-app-licences.gz' | grep -q '^react [0-9.]*: MIT'"
completes() { # completes WANTED WORD...: what bash offers for the last word
    local wanted=$1
    shift
    (
        # shellcheck disable=SC1091
        . "$root/usr/share/bash-completion/completions/cairn"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _cairn
        echo "${COMPREPLY[*]}"
        [ "${COMPREPLY[*]}" = "$wanted" ]
    )
}
check "bash completes commands" completes backup cairn ba
check "bash completes a command's flags" completes "--keep= --key-file=" "$root/usr/bin/cairn" backup --ke
check "and leaves files to itself" completes "" "$root/usr/bin/cairn" check prom
for page in "$root"/usr/share/man/man?/*.gz; do
    check "$(basename "$page") renders without a warning" sh -c "command -v man >/dev/null || exit 0
        said=\$(LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z '$page' 2>&1 >/dev/null); echo \"\$said\"; [ -z \"\$said\" ]"
done
if command -v lintian >/dev/null; then
    check "lintian finds no error and no warning" sh -c "cd '$work/one' && ! lintian --allow-root --tag-display-limit 0 *.deb | grep '^[EW]:'"
fi
check "the first password stays out of the journal" tests/deploy/password.py
score() { # score UNIT: at most 1.5
    systemd-analyze security --offline=true "$1" | sed -nE 's/.*exposure level for .*: ([0-9.]+) .*/\1/p' |
        awk '{found = 1; print "score", $1; exit $1 > 1.5} END {exit !found}'
}
for unit in "$root"/lib/systemd/system/*.service; do
    name=$(basename "$unit")
    cp "$unit" "$work/${name/@./@metrics.}"
    sed -i "s#/usr/bin/cairn#$root/usr/bin/cairn#" "$work/${name/@./@metrics.}"
    check "$name: systemd-analyze verify" sh -c "SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no '$work/${name/@./@metrics.}'"
    check "$name scores at most 1.5" score "$work/${name/@./@metrics.}"
done
for unit in cairn-backup.timer cairn-metrics.socket cairn-logs.socket cairn-dashboards.socket; do
    check "$unit: systemd-analyze verify" sh -c "cp '$root/lib/systemd/system/$unit' '$work/' &&
        SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no '$work/$unit'"
done
for script in deploy/packages/*/preinst deploy/packages/*/postinst deploy/packages/*/prerm deploy/packages/*/postrm deploy/packages/cairn-compat/cairn-compat; do
    check "$script" sh -n "$script"
    if command -v shellcheck >/dev/null; then
        check "$script: shellcheck" shellcheck "$script"
    fi
done
# What the upgrade asks before it restarts a unit.
reads() { # reads FLAGS...: the files are fine, and nothing was started or written
    "$root/usr/bin/cairn" serve --data="$work/untouched" "$@" --check && [ ! -e "$work/untouched" ]
}
says() { # says TEXT FLAGS...: refused, with this reason
    local text=$1
    shift
    ! "$root/usr/bin/cairn" serve --data="$work/untouched" "$@" --check >"$work/said" 2>&1 && grep -q "$text" "$work/said"
}
sed 's/^scrape_configs:/scrape_confgs:/' examples/classic/prometheus.yml >"$work/prometheus.yml"
printf '[server]\nhttp_port = yes\n' >"$work/grafana.ini"
check "serve --check reads the files of every role" reads --metrics-config=examples/classic/prometheus.yml --logs-config=examples/classic/loki-config.yml \
    --agent-config=examples/classic/promtail-config.yml --dashboards-config=examples/classic/grafana.ini
check "serve --check reads an original's flags" reads --role=metrics --config.file=examples/classic/prometheus.yml --storage.tsdb.path="$work/untouched"
check "serve --check names the wrong key" says 'prometheus.yml:.*scrape_confgs' --metrics-config="$work/prometheus.yml"
check "serve --check names the wrong setting" says 'grafana.ini:2:.*http_port' --dashboards-config="$work/grafana.ini"
check "serve --check names the wrong flag" says 'did you mean --demo' --dmo
check "the cost table is the one that cost.py computes" deploy/terraform/cost.py --check docs/deploy.md
check "the figures that docs/deploy.md says to watch are in the program" sh -c "grep -oE '\`(cairn|prometheus|promtail)_[a-z_]+' docs/deploy.md | tr -d '\`' |
    sort -u >'$work/figures' && test -s '$work/figures' && while read -r name; do grep -rqw \"\$name\" src || { echo \"\$name\"; exit 1; }; done <'$work/figures'"
check "deploy/terraform" sh -c "tests/deploy/terraform.sh >'$work/terraform' 2>&1; status=\$?; cat '$work/terraform'; exit \$status"
grep '^skipped: ' "$work/terraform"
echo "$passed passed, $failed failed"
for part in arm64.sh sbom.py image.py tarball.py dist.sh; do
    tests/deploy/$part || failed=1
done
[ $failed -eq 0 ]
