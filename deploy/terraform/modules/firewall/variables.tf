variable "name" {
  description = "Name of the resources."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "groups" {
  description = "Names of the groups."
  type        = list(string)
}

variable "flows" {
  description = "The rules; peer is a network or the name of a group."
  type        = list(object({ group = string, way = string, port = number, peer = string, why = string }))
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

