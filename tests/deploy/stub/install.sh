#!/bin/sh
# Puts the stub provider where `terraform init -plugin-dir=DIR` looks for hashicorp/aws.
#
# Usage: tests/deploy/stub/install.sh DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
plugin=$1/registry.terraform.io/hashicorp/aws/6.66.0/linux_$(dpkg --print-architecture)/terraform-provider-aws_v6.66.0_x5
mkdir -p "$(dirname "$plugin")"
printf '#!/bin/sh\nexec node "%s"\n' "$here/provider.mjs" >"$plugin"
chmod +x "$plugin"
