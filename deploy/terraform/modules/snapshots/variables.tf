variable "name" {
  description = "Name of the resources, and the value of the tag CairnSnapshots on the volumes."
  type        = string
}

variable "keep" {
  description = "How many snapshots of a volume are kept."
  type        = number
}

variable "at" {
  description = "Time of day, UTC."
  type        = string
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
