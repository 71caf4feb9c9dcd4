# Who talked to whom, in CloudWatch.
resource "aws_cloudwatch_log_group" "flows" {
  count             = var.flow_logs_days > 0 ? 1 : 0
  name              = "/${var.name}/flows"
  retention_in_days = var.flow_logs_days
  kms_key_id        = var.kms_key
  tags              = var.tags
}

resource "aws_iam_role" "flows" {
  count = var.flow_logs_days > 0 ? 1 : 0
  name  = "${var.name}-flows"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "vpc-flow-logs.amazonaws.com" } }]
  })
  tags = var.tags
}

# The log streams of that one group; their names are AWS' own.
resource "aws_iam_role_policy" "flows" {
  count = var.flow_logs_days > 0 ? 1 : 0
  name  = "write-flows"
  role  = aws_iam_role.flows[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = [aws_cloudwatch_log_group.flows[0].arn, "${aws_cloudwatch_log_group.flows[0].arn}:log-stream:*"]
    }]
  })
}

resource "aws_flow_log" "this" {
  count           = var.flow_logs_days > 0 ? 1 : 0
  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  log_destination = aws_cloudwatch_log_group.flows[0].arn
  iam_role_arn    = aws_iam_role.flows[0].arn
  tags            = merge(var.tags, { Name = var.name })
}
