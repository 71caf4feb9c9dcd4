# Daily snapshots of the volumes that carry the tag CairnSnapshots. A snapshot is what a crash leaves, and Cairn starts from that.
data "aws_partition" "here" {}

resource "aws_iam_role" "this" {
  name = "${var.name}-snapshots"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "dlm.amazonaws.com" } }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole"
}

resource "aws_dlm_lifecycle_policy" "this" {
  description        = "Daily snapshots of ${var.name}"
  execution_role_arn = aws_iam_role.this.arn
  state              = "ENABLED"
  policy_details {
    resource_types = ["VOLUME"]
    target_tags    = { CairnSnapshots = var.name }
    schedule {
      name      = "daily"
      copy_tags = true
      create_rule {
        interval      = 24
        interval_unit = "HOURS"
        times         = [var.at]
      }
      retain_rule {
        count = var.keep
      }
    }
  }
  tags = var.tags
}
