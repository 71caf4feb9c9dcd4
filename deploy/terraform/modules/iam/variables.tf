variable "name" {
  description = "Name of the role."
  type        = string
}

variable "parameter_arn" {
  description = "Parameter that holds the administrator's password, or null."
  type        = string
}

variable "kms_key_arn" {
  description = "Its KMS key, or null."
  type        = string
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

