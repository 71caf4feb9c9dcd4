# One role a node. It may read one parameter and one secret, when there are any, and nothing else of its own; Session Manager brings the
# policy that AWS keeps for it.
resource "aws_iam_role" "this" {
  name = var.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "password" {
  count = var.parameter_arn == null ? 0 : 1
  name  = "administrator-password"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Effect = "Allow", Action = "ssm:GetParameter", Resource = var.parameter_arn }],
      var.kms_key_arn == null ? [] : [{ Effect = "Allow", Action = "kms:Decrypt", Resource = var.kms_key_arn }],
    )
  })
}

resource "aws_iam_role_policy" "secret" {
  count = var.secret_arn == null ? 0 : 1
  name  = "certificate"
  role  = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.secret_arn }],
      var.kms_key_arn == null ? [] : [{ Effect = "Allow", Action = "kms:Decrypt", Resource = var.kms_key_arn }],
    )
  })
}

data "aws_partition" "here" {}

resource "aws_iam_role_policy_attachment" "session_manager" {
  count      = var.ssm ? 1 : 0
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "this" {
  name = var.name
  role = aws_iam_role.this.name
  tags = var.tags
}
