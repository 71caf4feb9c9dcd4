# Four instances, one a role: Loki, the application, Prometheus, Grafana.
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

variable "my_cidr" {
  description = "Your own network, such as 203.0.113.7/32: it reaches SSH and the pages."
  type        = string
}

variable "key_name" {
  description = "EC2 key pair for SSH."
  type        = string
  default     = null
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

module "cairn" {
  source           = "../.."
  topology         = "classic"
  allowed_ssh_cidr = var.my_cidr
  allowed_web_cidr = var.my_cidr
  key_name         = var.key_name
  package_urls     = var.package_urls
  package_version  = var.package_version
  package_sha256   = var.package_sha256
}

output "urls" {
  description = "The pages."
  value       = module.cairn.urls
}

output "ssh_commands" {
  description = "How to reach each node."
  value       = module.cairn.ssh_commands
}
