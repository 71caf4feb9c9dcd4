# The module against a provider that knows the schema and does nothing. Every refusal is a plan that must fail.
mock_provider "aws" {}

variables {
  allowed_ssh_cidr = "203.0.113.7/32"
  allowed_web_cidr = "198.51.100.0/24"
  package_version  = "0.1.0"
  package_urls     = { arm64 = ["https://one.example/cairn", "https://two.example/cairn"] }
  package_sha256   = { arm64 = { cairn = "1111111111111111111111111111111111111111111111111111111111111111", compat = "2222222222222222222222222222222222222222222222222222222222222222" } }
}

run "wrong_cidr" {
  command = plan
  variables {
    vpc_cidr = "10.0.0.0"
  }
  expect_failures = [var.vpc_cidr]
}

run "huge_vpc" {
  command = plan
  variables {
    vpc_cidr = "10.0.0.0/8"
  }
  expect_failures = [var.vpc_cidr]
}

run "wrong_ssh_cidr" {
  command = plan
  variables {
    allowed_ssh_cidr = "me"
  }
  expect_failures = [var.allowed_ssh_cidr]
}

run "open_ssh" {
  command = plan
  variables {
    allowed_ssh_cidr = "0.0.0.0/0"
  }
  expect_failures = [terraform_data.checked]
}

run "wrong_web_cidr" {
  command = plan
  variables {
    allowed_web_cidr = "10.0.0.300/24"
  }
  expect_failures = [var.allowed_web_cidr]
}

run "subnet_outside" {
  command = plan
  variables {
    public_subnet_cidr = "10.1.1.0/24"
  }
  expect_failures = [terraform_data.checked]
}

run "subnets_overlap" {
  command = plan
  variables {
    private_subnet_cidr = "10.0.1.128/25"
  }
  expect_failures = [terraform_data.checked]
}

run "metrics_retention_nonsense" {
  command = plan
  variables {
    metrics_retention = "for ever"
  }
  expect_failures = [var.metrics_retention]
}

run "metrics_retention_zero" {
  command = plan
  variables {
    metrics_retention = "0d"
  }
  expect_failures = [var.metrics_retention]
}

run "logs_retention_odd" {
  command = plan
  variables {
    logs_retention = "100h"
  }
  expect_failures = [var.logs_retention]
}

run "logs_retention_days" {
  command = plan
  variables {
    logs_retention = "7d"
  }
  expect_failures = [var.logs_retention]
}

run "amd_type_on_arm" {
  command = plan
  variables {
    instance_type = "t3.small"
  }
  expect_failures = [terraform_data.checked]
}

run "arm_type_on_amd" {
  command = plan
  variables {
    architecture   = "amd64"
    instance_type  = "m7gd.large"
    package_urls   = { amd64 = ["https://one.example/cairn"] }
    package_sha256 = { amd64 = { cairn = "1111111111111111111111111111111111111111111111111111111111111111", compat = "2222222222222222222222222222222222222222222222222222222222222222" } }
  }
  expect_failures = [terraform_data.checked]
}

run "no_package_for_architecture" {
  command = plan
  variables {
    architecture  = "amd64"
    instance_type = "t3.small"
  }
  expect_failures = [terraform_data.checked]
}

run "small_volume" {
  command = plan
  variables {
    root_volume_gb = 4
  }
  expect_failures = [var.root_volume_gb]
}

run "topology" {
  command = plan
  variables {
    topology = "triple"
  }
  expect_failures = [var.topology]
}

run "project" {
  command = plan
  variables {
    project = "My Project"
  }
  expect_failures = [var.project]
}

run "plain_http" {
  command = plan
  variables {
    package_urls = { arm64 = ["http://one.example/cairn"] }
  }
  expect_failures = [var.package_urls]
}

run "shell_in_url" {
  command = plan
  variables {
    package_urls = { arm64 = ["https://one.example/$(id)"] }
  }
  expect_failures = [var.package_urls]
}

run "short_checksum" {
  command = plan
  variables {
    package_sha256 = { arm64 = { cairn = "1", compat = "2" } }
  }
  expect_failures = [var.package_sha256]
}

run "password_in_place_of_name" {
  command = plan
  variables {
    admin_password_parameter = "hunter2"
  }
  expect_failures = [var.admin_password_parameter]
}

run "interval" {
  command = plan
  variables {
    scrape_interval = "often"
  }
  expect_failures = [var.scrape_interval]
}

run "unknown_role" {
  command = plan
  variables {
    instance_types = { lok = "t4g.nano" }
  }
  expect_failures = [var.instance_types]
}

run "open_ssh_on_purpose" {
  command = plan
  variables {
    allowed_ssh_cidr    = "0.0.0.0/0"
    i_accept_public_ssh = true
  }
}

run "seed_instances" {
  command = plan
  variables {
    topology       = "classic"
    architecture   = "amd64"
    instance_type  = "t3.small"
    root_volume_gb = 30
    package_urls   = { amd64 = ["https://one.example/cairn"] }
    package_sha256 = { amd64 = { cairn = "1111111111111111111111111111111111111111111111111111111111111111", compat = "2222222222222222222222222222222222222222222222222222222222222222" } }
  }
}

run "unknown_access" {
  command = plan
  variables {
    access = "telnet"
  }
  expect_failures = [var.access]
}

run "ssh_from_nowhere" {
  command = plan
  variables {
    allowed_ssh_cidr = null
  }
  expect_failures = [terraform_data.checked]
}

run "half_open_ssh" {
  command = plan
  variables {
    allowed_ssh_cidr = "128.0.0.0/1"
  }
  expect_failures = [terraform_data.checked]
}

run "both_with_open_ssh" {
  command = plan
  variables {
    access           = "both"
    allowed_ssh_cidr = "0.0.0.0/0"
  }
  expect_failures = [terraform_data.checked]
}

run "unknown_network_mode" {
  command = plan
  variables {
    network_mode = "dark"
  }
  expect_failures = [var.network_mode]
}

run "endpoints_without_a_mirror" {
  command = plan
  variables {
    network_mode = "private_endpoints"
  }
  expect_failures = [terraform_data.checked]
}

run "odd_mirror" {
  command = plan
  variables {
    debian_mirror = "ftp://mirror.example"
  }
  expect_failures = [var.debian_mirror]
}

run "flow_logs_for_two_days" {
  command = plan
  variables {
    flow_logs_days = 2
  }
  expect_failures = [var.flow_logs_days]
}

run "zone_of_one_part" {
  command = plan
  variables {
    private_zone = "internal"
  }
  expect_failures = [var.private_zone]
}

run "key_in_place_of_arn" {
  command = plan
  variables {
    tls_secret_arn = "-----BEGIN PRIVATE KEY-----"
  }
  expect_failures = [var.tls_secret_arn]
}

run "tls_without_names" {
  command = plan
  variables {
    topology       = "classic"
    tls_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cairn-tls"
  }
  expect_failures = [terraform_data.checked]
}

run "tls_on_one_node" {
  command = plan
  variables {
    private_zone   = "cairn.internal"
    tls_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cairn-tls"
  }
  expect_failures = [terraform_data.checked]
}

run "half_a_snapshot" {
  command = plan
  variables {
    snapshots_keep = 1.5
  }
  expect_failures = [var.snapshots_keep]
}

run "snapshots_at_noonish" {
  command = plan
  variables {
    snapshots_at = "noon"
  }
  expect_failures = [var.snapshots_at]
}

run "huge_volume" {
  command = plan
  variables {
    root_volume_gb = 20000
  }
  expect_failures = [var.root_volume_gb]
}

run "half_a_gigabyte" {
  command = plan
  variables {
    root_volume_gb = 8.5
  }
  expect_failures = [var.root_volume_gb]
}

run "metrics_retention_negative" {
  command = plan
  variables {
    metrics_retention = "-15d"
  }
  expect_failures = [var.metrics_retention]
}

run "logs_retention_zero" {
  command = plan
  variables {
    logs_retention = "0h"
  }
  expect_failures = [var.logs_retention]
}

run "arm_role_among_amd" {
  command = plan
  variables {
    topology       = "classic"
    instance_types = { logs = "t3.micro" }
  }
  expect_failures = [terraform_data.checked]
}
