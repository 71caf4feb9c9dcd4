# What follows from the variables: who is there, who talks to whom, what each writes.
locals {
  name          = "${var.project}-${var.environment}"
  tags          = merge(var.tags, { Project = var.project, Environment = var.environment })
  roles         = var.topology == "single" ? ["all"] : ["logs", "app", "metrics", "dashboards"]
  default_type  = coalesce(var.instance_type, var.topology == "single" ? "t4g.nano" : "t4g.micro")
  type          = { for r in local.roles : r => lookup(var.instance_types, r, local.default_type) }
  arm_family    = "^([a-z]+[0-9]+g[a-z]*|a1)\\." # t4g, m7gd, c8gn: a g after the generation is Graviton
  wrong_types   = [for t in values(local.type) : t if can(regex(local.arm_family, t)) != (var.architecture == "arm64")]
  packages      = lookup(var.package_urls, var.architecture, [])
  package_sums  = lookup(var.package_sha256, var.architecture, null)
  groups        = var.topology == "single" ? ["cairn"] : ["flask", "prometheus", "grafana", "loki"]
  group_of_role = { all = "cairn", app = "flask", metrics = "prometheus", dashboards = "grafana", logs = "loki" }

  # Who may talk to whom, one line a rule. `peer` is a network or the name of a group; port 0 is every port and protocol.
  flows_classic = [
    { group = "flask", way = "in", port = 22, peer = var.allowed_ssh_cidr, why = "SSH" },
    { group = "flask", way = "in", port = 5000, peer = var.allowed_web_cidr, why = "The application" },
    { group = "flask", way = "in", port = 5000, peer = "prometheus", why = "Scrapes of the application" },
    { group = "flask", way = "out", port = 3100, peer = var.vpc_cidr, why = "Log lines to Loki" },
    { group = "flask", way = "out", port = 0, peer = "0.0.0.0/0", why = "Packages and updates" },
    { group = "prometheus", way = "in", port = 22, peer = var.allowed_ssh_cidr, why = "SSH" },
    { group = "prometheus", way = "in", port = 9090, peer = var.allowed_web_cidr, why = "Prometheus pages and API" },
    { group = "prometheus", way = "in", port = 9090, peer = "grafana", why = "Queries of dashboards" },
    { group = "prometheus", way = "out", port = 0, peer = "0.0.0.0/0", why = "Scrapes, packages and updates" },
    { group = "grafana", way = "in", port = 22, peer = var.allowed_ssh_cidr, why = "SSH" },
    { group = "grafana", way = "in", port = 3000, peer = var.allowed_web_cidr, why = "Dashboards" },
    { group = "grafana", way = "out", port = 0, peer = "0.0.0.0/0", why = "Queries, packages and updates" },
    { group = "loki", way = "in", port = 22, peer = var.allowed_ssh_cidr, why = "SSH" },
    { group = "loki", way = "in", port = 3100, peer = var.vpc_cidr, why = "Log lines from agents" },
    { group = "loki", way = "in", port = 3100, peer = "grafana", why = "Queries of dashboards" },
    { group = "loki", way = "out", port = 0, peer = "0.0.0.0/0", why = "Packages and updates" },
  ]
  # One node: what the roles say to each other stays on loopback.
  flows_single = [
    { group = "cairn", way = "in", port = 22, peer = var.allowed_ssh_cidr, why = "SSH" },
    { group = "cairn", way = "in", port = 3000, peer = var.allowed_web_cidr, why = "Dashboards" },
    { group = "cairn", way = "in", port = 5000, peer = var.allowed_web_cidr, why = "The application" },
    { group = "cairn", way = "in", port = 9090, peer = var.allowed_web_cidr, why = "Prometheus pages and API" },
    { group = "cairn", way = "out", port = 0, peer = "0.0.0.0/0", why = "Packages and updates" },
  ]
  # In place of open egress and of the whole VPC as a peer: what the nodes say to each other, and packages and AWS.
  flows_narrow = concat(
    [for g in local.groups : { group = g, way = "out", port = 443, peer = "0.0.0.0/0", why = "Packages, updates and AWS" }],
    [for g in local.groups : { group = g, way = "out", port = 80, peer = "0.0.0.0/0", why = "Packages and updates" }],
    var.topology == "single" ? [] : [
      { group = "loki", way = "in", port = 3100, peer = "flask", why = "Log lines from agents" },
      { group = "flask", way = "out", port = 3100, peer = "loki", why = "Log lines to Loki" },
      { group = "prometheus", way = "out", port = 5000, peer = "flask", why = "Scrapes of the application" },
      { group = "grafana", way = "out", port = 9090, peer = "prometheus", why = "Queries of dashboards" },
      { group = "grafana", way = "out", port = 3100, peer = "loki", why = "Queries of dashboards" },
    ],
  )
  flows_all = var.topology == "single" ? local.flows_single : local.flows_classic
  flows = concat(
    [for f in local.flows_all : f if f.peer != null && !(f.port == 22 && var.access == "ssm") && !(var.narrow_flows && (f.port == 0 || f.peer == var.vpc_cidr))],
    var.narrow_flows ? local.flows_narrow : [],
  )
  private = var.network_mode != "public"
  tls     = var.tls_secret_arn != null
  scheme  = local.tls ? "https" : "http"
}

# Networks as numbers, for "inside" and "disjoint".
locals {
  nets = { for k, c in { vpc = var.vpc_cidr, public = var.public_subnet_cidr, private = var.private_subnet_cidr } : k => {
    first = sum([for i, o in split(".", cidrhost(c, 0)) : tonumber(o) * pow(256, 3 - i)])
    last  = sum([for i, o in split(".", cidrhost(c, 0)) : tonumber(o) * pow(256, 3 - i)]) + pow(2, 32 - tonumber(split("/", c)[1])) - 1
  } }
  subnets_inside   = alltrue([for s in ["public", "private"] : local.nets[s].first >= local.nets.vpc.first && local.nets[s].last <= local.nets.vpc.last])
  subnets_disjoint = local.nets.public.last < local.nets.private.first || local.nets.private.last < local.nets.public.first
}
