# The module against a provider that knows the schema and does nothing. What the two topologies make.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { region = "eu-north-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  allowed_ssh_cidr = "203.0.113.7/32"
  allowed_web_cidr = "198.51.100.0/24"
  package_version  = "0.1.0"
  package_urls     = { arm64 = ["https://one.example/cairn", "https://two.example/cairn"] }
  package_sha256   = { arm64 = { cairn = "1111111111111111111111111111111111111111111111111111111111111111", compat = "2222222222222222222222222222222222222222222222222222222222222222" } }
}

run "classic" {
  command = apply
  variables { topology = "classic" }
  assert {
    condition = output.flows == sort([
      "flask in 22 203.0.113.7/32",
      "flask in 5000 198.51.100.0/24",
      "flask in 5000 prometheus",
      "flask out 3100 10.0.0.0/16",
      "flask out 0 0.0.0.0/0",
      "prometheus in 22 203.0.113.7/32",
      "prometheus in 9090 198.51.100.0/24",
      "prometheus in 9090 grafana",
      "prometheus out 0 0.0.0.0/0",
      "grafana in 22 203.0.113.7/32",
      "grafana in 3000 198.51.100.0/24",
      "grafana out 0 0.0.0.0/0",
      "loki in 22 203.0.113.7/32",
      "loki in 3100 10.0.0.0/16",
      "loki in 3100 grafana",
      "loki out 0 0.0.0.0/0"
    ])
    error_message = "The rules are not the sixteen of the four-server stack."
  }
  assert {
    condition     = length(output.instance_ids) == 4 && toset([for r in ["logs", "app", "metrics", "dashboards"] : local.type[r]]) == toset(["t4g.micro"])
    error_message = "Classic is four t4g.micro."
  }
  assert {
    condition     = strcontains(output.user_data["app"], "http://${output.private_ips["logs"]}:3100/loki/api/v1/push")
    error_message = "The agent does not push to the Loki node."
  }
  assert {
    condition     = strcontains(output.user_data["metrics"], "${output.private_ips["app"]}:5000")
    error_message = "Prometheus does not scrape the application node."
  }
  assert {
    condition     = strcontains(output.user_data["dashboards"], "${output.private_ips["metrics"]}:9090") && strcontains(output.user_data["dashboards"], "${output.private_ips["logs"]}:3100")
    error_message = "Grafana's data sources are not the two other nodes."
  }
  assert {
    condition     = length(output.policies) == 0
    error_message = "Without a parameter no role may do anything."
  }
  assert {
    condition     = output.snapshot_policy_id != null && length(module.network.nat_gateway_ids) == 0 && length(module.network.flow_log_ids) == 0
    error_message = "Daily snapshots are made unless told otherwise; NAT and flow logs only when asked for."
  }
}

run "single" {
  command = apply
  assert {
    condition     = join(",", keys(output.instance_ids)) == "all" && local.type["all"] == "t4g.nano"
    error_message = "Single is one t4g.nano."
  }
  assert {
    condition     = !anytrue([for f in output.flows : strcontains(f, " 3100 ")])
    error_message = "On one node the log port stays closed."
  }
}

run "without_snapshots" {
  command = apply
  variables {
    snapshots_keep = 0
  }
  assert {
    condition     = output.snapshot_policy_id == null
    error_message = "Snapshots are made though none were wanted."
  }
}

run "password_parameter" {
  command = apply
  variables {
    admin_password_parameter = "/cairn/admin-password"
  }
  assert {
    condition     = can(regex("\"Action\":\"ssm:GetParameter\".*:parameter/cairn/admin-password\"", output.policies["all"])) && !strcontains(output.policies["all"], "*")
    error_message = "The role reads that one parameter, without wildcards."
  }
}
