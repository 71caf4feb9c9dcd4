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

variable "tags" {
  description = "Tags."
  type        = map(string)
}

