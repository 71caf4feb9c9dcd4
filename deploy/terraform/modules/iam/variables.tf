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

variable "secret_arn" {
  description = "Secret that holds the certificate, or null."
  type        = string
}

variable "ssm" {
  description = "Whether Session Manager reaches the node."
  type        = bool
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}

