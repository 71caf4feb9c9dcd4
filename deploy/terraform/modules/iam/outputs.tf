output "profile" {
  description = "Name of the instance profile."
  value       = aws_iam_instance_profile.this.name
}

output "policy" {
  description = "The role's own policies, or null."
  value       = try(coalesce(join(" ", concat(aws_iam_role_policy.password[*].policy, aws_iam_role_policy.secret[*].policy))), null)
}

