locals {
  # Where people meet a role: by name when there is a zone, inside when there is no public address, logs always.
  address = { for r in ["app", "metrics", "dashboards", "logs"] : r => (
    var.private_zone != null && var.topology == "classic" ? "${local.group_of_role[r]}.${var.private_zone}" :
    local.private || r == "logs" ? try(local.nodes[r].private_ip, local.nodes["all"].private_ip) : try(local.nodes[r].public_ip, local.nodes["all"].public_ip)
  ) }
}

output "urls" {
  description = "The pages: application, metrics, logs (inside the VPC), dashboards."
  value = {
    application = "${local.scheme}://${local.address["app"]}:5000"
    metrics     = "${local.scheme}://${local.address["metrics"]}:9090"
    logs        = "${local.scheme}://${local.address["logs"]}:3100"
    dashboards  = "${local.scheme}://${local.address["dashboards"]}:3000"
  }
}

output "public_ips" {
  description = "Public addresses by role."
  value       = { for r, n in local.nodes : r => n.public_ip }
}

output "private_ips" {
  description = "Private addresses by role."
  value       = { for r, n in local.nodes : r => n.private_ip }
}

output "instance_ids" {
  description = "Instance ids by role."
  value       = { for r, n in local.nodes : r => n.id }
}

output "snapshot_policy_id" {
  description = "The policy that makes the daily snapshots, or null."
  value       = one(module.snapshots[*].policy_id)
}

output "ssh_commands" {
  description = "How to reach each node."
  value       = { for r, n in local.nodes : r => var.access == "ssh" ? "ssh admin@${local.private ? n.private_ip : n.public_ip}" : "aws ssm start-session --target ${n.id}" }
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}

output "subnet_ids" {
  description = "The subnets."
  value       = { public = module.network.public_subnet_id, private = module.network.private_subnet_id }
}

output "security_group_ids" {
  description = "Security groups by name."
  value       = module.firewall.group_ids
}

output "flows" {
  description = "Every firewall rule: group, way, port (0: all), peer."
  value       = module.firewall.matrix
}

output "user_data" {
  description = "What each node runs at its first boot; no secret is in it."
  value       = { for r, d in { logs = local.user_data_logs, app = local.user_data_app, metrics = local.user_data_metrics, dashboards = local.user_data_dashboards, all = local.user_data_all } : r => d if contains(local.roles, r) }
}

output "policies" {
  description = "The roles' own policies, where there are any."
  value       = { for r, m in module.iam : r => m.policy if m.policy != null }
}

