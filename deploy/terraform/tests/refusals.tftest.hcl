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
