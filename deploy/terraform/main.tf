# What cannot be checked in one variable alone is refused here, at plan.
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = local.subnets_inside
      error_message = "public_subnet_cidr and private_subnet_cidr must lie inside vpc_cidr (${var.vpc_cidr})."
    }
    precondition {
      condition     = local.subnets_disjoint
      error_message = "public_subnet_cidr and private_subnet_cidr overlap."
    }
    precondition {
      condition     = var.access == "ssm" || var.allowed_ssh_cidr != null
      error_message = "access = \"${var.access}\" needs allowed_ssh_cidr; name your own address (203.0.113.7/32), or use access = \"ssm\"."
    }
    precondition {
      condition     = var.access == "ssm" || var.i_accept_public_ssh || try(tonumber(split("/", var.allowed_ssh_cidr)[1]) >= 8, true)
      error_message = "allowed_ssh_cidr ${coalesce(var.allowed_ssh_cidr, "null")} opens SSH to the internet; name your own address (203.0.113.7/32), or set i_accept_public_ssh."
    }
    precondition {
      condition     = length(local.wrong_types) == 0
      error_message = "instance type ${join(", ", local.wrong_types)} does not run ${var.architecture}: families with a g after the generation (t4g, m7g) are arm64, others amd64; change instance_type or architecture."
    }
    precondition {
      condition     = !local.tls || (var.private_zone != null && var.topology == "classic")
      error_message = "tls_secret_arn needs topology = \"classic\" and private_zone: the certificate is for names in that zone."
    }
    precondition {
      condition     = var.network_mode != "private_endpoints" || var.debian_mirror != null
      error_message = "network_mode = \"private_endpoints\" has no way to the internet; name a debian_mirror inside, or use private_nat."
    }
    precondition {
      condition     = length(local.packages) > 0 && local.package_sums != null
      error_message = "package_urls and package_sha256 need an entry for ${var.architecture}."
    }
  }
}

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"] # Debian's own account
  filter {
    name   = "name"
    values = ["debian-12-${var.architecture}-*"]
  }
  filter {
    name   = "architecture"
    values = [var.architecture == "arm64" ? "arm64" : "x86_64"]
  }
}

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}
data "aws_region" "here" {}

module "network" {
  source              = "./modules/network"
  name                = local.name
  vpc_cidr            = var.vpc_cidr
  public_subnet_cidr  = var.public_subnet_cidr
  private_subnet_cidr = var.private_subnet_cidr
  availability_zone   = var.availability_zone
  public_addresses    = !local.private
  nat                 = var.network_mode == "private_nat"
  endpoints           = local.private ? concat(var.access == "ssh" ? [] : ["ssm", "ssmmessages", "ec2messages"], local.tls ? ["secretsmanager"] : [], var.admin_password_parameter != null && var.access == "ssh" ? ["ssm"] : []) : []
  flow_logs_days      = var.flow_logs_days
  kms_key             = var.kms_key_id
  tags                = local.tags
  depends_on          = [terraform_data.checked]
}

module "firewall" {
  source = "./modules/firewall"
  name   = local.name
  vpc_id = module.network.vpc_id
  groups = local.groups
  flows  = local.flows
  tags   = local.tags
}

module "iam" {
  for_each = toset(local.roles)
  source   = "./modules/iam"
  name     = "${local.name}-${each.key}"
  parameter_arn = contains(["dashboards", "all"], each.key) && var.admin_password_parameter != null ? (
    "arn:${data.aws_partition.here.partition}:ssm:${data.aws_region.here.region}:${data.aws_caller_identity.here.account_id}:parameter${var.admin_password_parameter}"
  ) : null
  kms_key_arn = var.admin_password_kms_key_arn
  secret_arn  = var.tls_secret_arn
  ssm         = var.access != "ssh"
  tags        = local.tags
}

# The order of creation follows from the addresses: Loki, application, Prometheus, Grafana.
module "logs" {
  count     = var.topology == "classic" ? 1 : 0
  source    = "./modules/node"
  name      = "${local.name}-loki"
  user_data = local.user_data_logs
  shape     = merge(local.shape, { instance_type = local.type["logs"], profile = module.iam["logs"].profile, groups = [module.firewall.group_ids["loki"]] })
}

module "app" {
  count     = var.topology == "classic" ? 1 : 0
  source    = "./modules/node"
  name      = "${local.name}-flask"
  user_data = local.user_data_app
  shape     = merge(local.shape, { instance_type = local.type["app"], profile = module.iam["app"].profile, groups = [module.firewall.group_ids["flask"]] })
}

module "metrics" {
  count     = var.topology == "classic" ? 1 : 0
  source    = "./modules/node"
  name      = "${local.name}-prometheus"
  user_data = local.user_data_metrics
  shape     = merge(local.shape, { instance_type = local.type["metrics"], profile = module.iam["metrics"].profile, groups = [module.firewall.group_ids["prometheus"]] })
}

module "dashboards" {
  count     = var.topology == "classic" ? 1 : 0
  source    = "./modules/node"
  name      = "${local.name}-grafana"
  user_data = local.user_data_dashboards
  shape     = merge(local.shape, { instance_type = local.type["dashboards"], profile = module.iam["dashboards"].profile, groups = [module.firewall.group_ids["grafana"]] })
}

module "all" {
  count     = var.topology == "single" ? 1 : 0
  source    = "./modules/node"
  name      = local.name
  user_data = local.user_data_all
  shape     = merge(local.shape, { instance_type = local.type["all"], profile = module.iam["all"].profile, groups = [module.firewall.group_ids["cairn"]] })
}

locals {
  shape = {
    ami        = data.aws_ami.debian.id
    subnet_id  = local.private ? module.network.private_subnet_id : module.network.public_subnet_id
    public     = !local.private
    monitoring = var.detailed_monitoring
    snapshots  = local.name
    key_name   = var.key_name
    volume_gb  = var.root_volume_gb
    kms_key    = var.kms_key_id
    # A runaway query throttles the one small instance instead of billing.
    credits = var.topology == "single" ? "standard" : "unlimited"
    tags    = local.tags
  }
  nodes = merge(
    { for n in module.logs : "logs" => n }, { for n in module.app : "app" => n }, { for n in module.metrics : "metrics" => n },
    { for n in module.dashboards : "dashboards" => n }, { for n in module.all : "all" => n },
  )
}

# The nodes' names, when there is a zone for them.
resource "aws_route53_zone" "nodes" {
  count = var.private_zone == null ? 0 : 1
  name  = var.private_zone
  vpc {
    vpc_id = module.network.vpc_id
  }
  tags = local.tags
}

resource "aws_route53_record" "node" {
  for_each = { for r in local.roles : r => lookup(local.group_of_role, r) if var.private_zone != null }
  zone_id  = aws_route53_zone.nodes[0].zone_id
  name     = "${each.value}.${var.private_zone}"
  type     = "A"
  ttl      = 60
  records  = [local.nodes[each.key].private_ip]
}

module "snapshots" {
  count  = var.snapshots_keep > 0 ? 1 : 0
  source = "./modules/snapshots"
  name   = local.name
  keep   = var.snapshots_keep
  at     = var.snapshots_at
  tags   = local.tags
}
