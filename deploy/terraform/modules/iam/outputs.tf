# With what the role may: a node asks for its secrets at its first boot.
output "profile" {
  description = "Name of the instance profile."
  value       = aws_iam_instance_profile.this.name
  depends_on  = [aws_iam_role_policy.password, aws_iam_role_policy.secret, aws_iam_role_policy_attachment.session_manager]
}

output "policy" {
  description = "The role's own policies, or null."
  value       = try(coalesce(join(" ", concat(aws_iam_role_policy.password[*].policy, aws_iam_role_policy.secret[*].policy))), null)
}

