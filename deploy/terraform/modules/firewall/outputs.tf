# Whoever stands in a group needs its rules from the first second.
output "group_ids" {
  description = "Security group ids by name."
  value       = { for k, g in aws_security_group.this : k => g.id }
  depends_on  = [aws_vpc_security_group_ingress_rule.this, aws_vpc_security_group_egress_rule.this]
}

output "matrix" {
  description = "Every rule as it was made: group, way, port, peer (a network or a group)."
  value = sort(concat(
    [for r in aws_vpc_security_group_ingress_rule.this : format("%s in %s %s", local.name_of[r.security_group_id], coalesce(r.from_port, 0), try(local.name_of[r.referenced_security_group_id], r.cidr_ipv4))],
    [for r in aws_vpc_security_group_egress_rule.this : format("%s out %s %s", local.name_of[r.security_group_id], coalesce(r.from_port, 0), try(local.name_of[r.referenced_security_group_id], r.cidr_ipv4))],
  ))
}

locals {
  name_of = { for k, g in aws_security_group.this : g.id => k }
}
