output "profile" {
  description = "Name of the instance profile."
  value       = aws_iam_instance_profile.this.name
}

output "policy" {
  description = "The role's own policy, or null."
  value       = one(aws_iam_role_policy.password[*].policy)
}

