output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

# A node fetches packages at its first boot, so its subnet is one whose ways out are there: a NAT gateway takes minutes.
output "public_subnet_id" {
  description = "The public subnet."
  value       = aws_subnet.public.id
  depends_on  = [aws_route.internet, aws_route_table_association.public]
}

output "private_subnet_id" {
  description = "The private subnet."
  value       = aws_subnet.private.id
  depends_on  = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.service, aws_vpc_endpoint.s3, aws_vpc_security_group_ingress_rule.endpoints]
}

output "nat_gateway_ids" {
  description = "The NAT gateway, when there is one."
  value       = aws_nat_gateway.this[*].id
}

output "endpoints" {
  description = "AWS services that are reached inside the VPC."
  value       = sort(concat([for k, e in aws_vpc_endpoint.service : k], length(aws_vpc_endpoint.s3) > 0 ? ["s3"] : []))
}

output "flow_log_ids" {
  description = "The flow log, when there is one."
  value       = aws_flow_log.this[*].id
}
