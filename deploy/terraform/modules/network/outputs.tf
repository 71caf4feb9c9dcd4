output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_id" {
  description = "The public subnet."
  value       = aws_subnet.public.id
}

output "private_subnet_id" {
  description = "The private subnet."
  value       = aws_subnet.private.id
}

