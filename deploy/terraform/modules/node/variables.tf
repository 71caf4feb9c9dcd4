variable "name" {
  description = "Name of the instance."
  type        = string
}

variable "user_data" {
  description = "Its user data."
  type        = string
}

variable "shape" {
  description = "What it is made of."
  type        = object({ ami = string, instance_type = string, subnet_id = string, public = bool, monitoring = bool, snapshots = string, groups = list(string), key_name = string, profile = string, volume_gb = number, kms_key = string, credits = string, tags = map(string) })
}

