# Four instances in a private subnet: TLS between them, Session Manager in place of SSH, secrets from AWS, flow logs, a key of one's own.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where it stands."
  type        = string
  default     = "us-east-1"
}

variable "private_zone" {
  description = "Private DNS zone of the nodes; the certificate is for *.private_zone."
  type        = string
  default     = "cairn.internal"
}

variable "tls_secret_arn" {
  description = "Secrets Manager secret with ca, certificate and key; the README says how to make it."
  type        = string
}

variable "admin_password_parameter" {
  description = "Parameter Store SecureString with the administrator's password."
  type        = string
}

variable "package_urls" {
  description = "Folders with the packages of `make deb`, for each architecture."
  type        = map(list(string))
}

variable "package_version" {
  description = "Version of the packages."
  type        = string
}

variable "package_sha256" {
  description = "Their SHA-256, for each architecture."
  type        = map(object({ cairn = string, compat = string }))
}

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}

# Volumes and flow logs are encrypted with it. The account decides who may use it, and CloudWatch may for the flow logs.
resource "aws_kms_key" "this" {
  description         = "Cairn: volumes and flow logs"
  enable_key_rotation = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Account", Effect = "Allow", Action = "kms:*", Resource = "*", Principal = { AWS = "arn:${data.aws_partition.here.partition}:iam::${data.aws_caller_identity.here.account_id}:root" } },
      { Sid = "FlowLogs", Effect = "Allow", Action = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"], Resource = "*", Principal = { Service = "logs.${var.region}.amazonaws.com" }, Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.here.partition}:logs:${var.region}:${data.aws_caller_identity.here.account_id}:log-group:/cairn-production/flows" } } },
    ]
  })
}

module "cairn" {
  source                   = "../.."
  topology                 = "classic"
  network_mode             = "private_nat"
  access                   = "ssm"
  allowed_web_cidr         = null
  narrow_flows             = true
  private_zone             = var.private_zone
  tls_secret_arn           = var.tls_secret_arn
  admin_password_parameter = var.admin_password_parameter
  flow_logs_days           = 365
  detailed_monitoring      = true
  snapshots_keep           = 14
  kms_key_id               = aws_kms_key.this.arn
  package_urls             = var.package_urls
  package_version          = var.package_version
  package_sha256           = var.package_sha256
}

output "urls" {
  description = "The pages, inside the VPC; from outside by Session Manager's port forwarding."
  value       = module.cairn.urls
}

output "instance_ids" {
  description = "Instance ids by role, for `aws ssm start-session`."
  value       = module.cairn.instance_ids
}
