# The example classic-hardened, whole: what must hold of it, read from the module's outputs.
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
  topology                 = "classic"
  network_mode             = "private_nat"
  access                   = "ssm"
  allowed_web_cidr         = null
  narrow_flows             = true
  private_zone             = "cairn.internal"
  tls_secret_arn           = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:cairn-tls-AbCdEf"
  admin_password_parameter = "/cairn/admin-password"
  flow_logs_days           = 365
  package_version          = "0.1.0"
  package_urls             = { arm64 = ["https://one.example/cairn", "https://two.example/cairn"] }
  package_sha256           = { arm64 = { cairn = "1111111111111111111111111111111111111111111111111111111111111111", compat = "2222222222222222222222222222222222222222222222222222222222222222" } }
}

run "hardened" {
  command = apply
  assert {
    condition = output.flows == sort([
      "loki in 3100 flask",
      "flask out 3100 loki",
      "flask in 5000 prometheus",
      "prometheus out 5000 flask",
      "prometheus in 9090 grafana",
      "grafana out 9090 prometheus",
      "loki in 3100 grafana",
      "grafana out 3100 loki",
      "flask out 443 0.0.0.0/0", "flask out 80 0.0.0.0/0",
      "prometheus out 443 0.0.0.0/0", "prometheus out 80 0.0.0.0/0",
      "grafana out 443 0.0.0.0/0", "grafana out 80 0.0.0.0/0",
      "loki out 443 0.0.0.0/0", "loki out 80 0.0.0.0/0",
    ])
    error_message = "Other flows than those that the roles need, or one of them one-sided."
  }
  assert {
    condition     = !local.shape.public && local.shape.subnet_id == module.network.private_subnet_id && local.shape.subnet_id != module.network.public_subnet_id
    error_message = "The instances do not stand in the private subnet without public addresses."
  }
  assert {
    condition     = length(module.network.nat_gateway_ids) == 1 && length(module.network.flow_log_ids) == 1
    error_message = "The NAT gateway or the flow log is missing."
  }
  assert {
    condition     = join(" ", module.network.endpoints) == "ec2messages s3 secretsmanager ssm ssmmessages"
    error_message = "The calls to AWS do not stay inside the VPC."
  }
  assert {
    condition     = alltrue([for r, d in output.user_data : strcontains(d, "/etc/cairn/web.yml") && !can(regex("http://(loki|prometheus|flask|localhost)", d))])
    error_message = "A node speaks plain http to another."
  }
  assert {
    condition     = [for r, d in output.user_data : r if strcontains(d, "RequireAndVerifyClientCert")] == ["logs", "metrics"]
    error_message = "Loki and Prometheus let in who shows no certificate."
  }
  assert {
    condition     = strcontains(output.user_data["app"], "https://loki.cairn.internal:3100/loki/api/v1/push") && strcontains(output.user_data["metrics"], "flask.cairn.internal:5000") && strcontains(output.user_data["dashboards"], "https://prometheus.cairn.internal:9090")
    error_message = "The nodes do not know each other by the names that the certificate is for."
  }
  assert {
    condition     = alltrue([for r, p in output.policies : !strcontains(p, "*") && strcontains(p, "secret:cairn-tls-AbCdEf")]) && length(output.policies) == 4
    error_message = "A role has a wildcard, or cannot read the certificate."
  }
  assert {
    condition     = [for r, p in output.policies : r if strcontains(p, "admin-password")] == ["dashboards"]
    error_message = "Others than the dashboards' node read the administrator's password."
  }
  assert {
    condition     = output.snapshot_policy_id != null
    error_message = "There are no snapshots."
  }
  assert {
    condition     = alltrue([for u in values(output.urls) : startswith(u, "https://")]) && alltrue([for s in values(output.ssh_commands) : startswith(s, "aws ssm ")])
    error_message = "The outputs lead to plain http or to SSH."
  }
}

run "endpoints_alone" {
  command = apply
  variables {
    network_mode  = "private_endpoints"
    debian_mirror = "https://mirror.example.com/debian"
  }
  assert {
    condition     = length(module.network.nat_gateway_ids) == 0 && contains(module.network.endpoints, "s3")
    error_message = "There is a way to the internet, or none to AWS."
  }
  assert {
    condition     = alltrue([for r, d in output.user_data : strcontains(d, "mirror.example.com/debian")])
    error_message = "A node does not use the mirror."
  }
}
