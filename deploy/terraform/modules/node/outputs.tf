output "id" {
  description = "Instance id."
  value       = aws_instance.this.id
}

output "private_ip" {
  description = "Private address."
  value       = aws_instance.this.private_ip
}

output "public_ip" {
  description = "Public address."
  value       = aws_instance.this.public_ip
}

