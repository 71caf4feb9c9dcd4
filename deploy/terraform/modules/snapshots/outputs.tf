output "policy_id" {
  description = "Id of the lifecycle policy."
  value       = aws_dlm_lifecycle_policy.this.id
}
