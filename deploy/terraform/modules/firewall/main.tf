# Security groups, and one resource a rule: groups may name each other, and no rule overwrites another.
resource "aws_security_group" "this" {
  for_each    = toset(var.groups)
  name        = "${var.name}-${each.key}"
  description = "Cairn: ${each.key}"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

locals {
  rules = { for f in var.flows : "${f.group}-${f.way}-${f.port}-${f.peer}" => merge(f, { is_group = contains(var.groups, f.peer) }) }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each                     = { for k, r in local.rules : k => r if r.way == "in" }
  security_group_id            = aws_security_group.this[each.value.group].id
  description                  = each.value.why
  ip_protocol                  = each.value.port == 0 ? "-1" : "tcp"
  from_port                    = each.value.port == 0 ? null : each.value.port
  to_port                      = each.value.port == 0 ? null : each.value.port
  cidr_ipv4                    = each.value.is_group ? null : each.value.peer
  referenced_security_group_id = each.value.is_group ? aws_security_group.this[each.value.peer].id : null
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each                     = { for k, r in local.rules : k => r if r.way == "out" }
  security_group_id            = aws_security_group.this[each.value.group].id
  description                  = each.value.why
  ip_protocol                  = each.value.port == 0 ? "-1" : "tcp"
  from_port                    = each.value.port == 0 ? null : each.value.port
  to_port                      = each.value.port == 0 ? null : each.value.port
  cidr_ipv4                    = each.value.is_group ? null : each.value.peer
  referenced_security_group_id = each.value.is_group ? aws_security_group.this[each.value.peer].id : null
  tags                         = var.tags
}
