variable "name" {
  description = "Name of the resources."
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
}

variable "public_subnet_cidr" {
  description = "Addresses of the public subnet."
  type        = string
}

variable "private_subnet_cidr" {
  description = "Addresses of the private subnet."
  type        = string
}

variable "availability_zone" {
  description = "Zone, or null."
  type        = string
}

variable "public_addresses" {
  description = "Whether instances of the public subnet get a public address."
  type        = bool
}

variable "nat" {
  description = "Whether the private subnet reaches the internet by a NAT gateway."
  type        = bool
}

variable "endpoints" {
  description = "AWS services that are reached inside the VPC, such as ssm; with any, S3 too."
  type        = list(string)
}

variable "flow_logs_days" {
  description = "How long flow logs are kept; 0: none."
  type        = number
}

variable "kms_key" {
  description = "KMS key of the flow logs, or null."
  type        = string
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

