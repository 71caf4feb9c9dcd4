resource "aws_instance" "this" {
  ami                         = var.shape.ami
  instance_type               = var.shape.instance_type
  subnet_id                   = var.shape.subnet_id
  vpc_security_group_ids      = var.shape.groups
  associate_public_ip_address = var.shape.public
  key_name                    = var.shape.key_name
  iam_instance_profile        = var.shape.profile
  user_data                   = var.user_data
  user_data_replace_on_change = false
  ebs_optimized               = true
  monitoring                  = var.shape.monitoring
  tags                        = merge(var.shape.tags, { Name = var.name })

  root_block_device {
    volume_type = "gp3"
    volume_size = var.shape.volume_gb
    encrypted   = true
    kms_key_id  = var.shape.kms_key
    tags        = merge(var.shape.tags, { Name = var.name, CairnSnapshots = var.shape.snapshots })
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  credit_specification {
    cpu_credits = var.shape.credits
  }

  lifecycle {
    ignore_changes = [ami] # a new image does not replace a node that holds data
    precondition {
      condition     = length(var.user_data) < 16384
      error_message = "The user data of ${var.name} is not under 16 KB."
    }
  }
}
