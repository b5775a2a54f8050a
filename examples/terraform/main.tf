# The endpoint stays in Terraform, but for the two attributes that Certifier owns. Its owner consents
# by a tag, and each change of the source is certified before the apply goes on.

variable "stack" {
  description = "The CloudFormation stack of Certifier"
  type        = string
  default     = "Certifier"
}

locals {
  source = {
    name               = "orders"
    endpoint           = aws_dms_endpoint.orders.endpoint_id
    host               = "orders.db.example.com"
    database           = "orders"
    ssl_mode           = "verify-full"
    credentials        = aws_secretsmanager_secret.orders.arn
    server_certificate = data.aws_secretsmanager_secret.orders_tls.arn
    restart_tasks      = "sun 02:00-04:00 Europe/Berlin"
  }
}

data "aws_cloudformation_stack" "certifier" {
  name = var.stack
}

data "aws_secretsmanager_secret" "orders_tls" {
  name = "dms/orders-tls"
}

resource "aws_secretsmanager_secret" "orders" {
  name = "dms/orders"
  tags = {
    "certifier:source" = "orders"
  }
}

resource "aws_dms_endpoint" "orders" {
  endpoint_id                     = "orders-source"
  endpoint_type                   = "source"
  engine_name                     = "postgres"
  database_name                   = "orders"
  secrets_manager_arn             = aws_secretsmanager_secret.orders.arn
  secrets_manager_access_role_arn = data.aws_cloudformation_stack.certifier.outputs["DmsSecretRole"]

  tags = {
    "certifier:source" = "orders"
  }

  lifecycle {
    # Certifier sets both, after a rehearsal.
    ignore_changes = [ssl_mode, certificate_arn]
  }
}

resource "local_file" "source" {
  filename = "${path.module}/build/orders.json"
  content  = jsonencode(local.source)
}

resource "terraform_data" "certified" {
  triggers_replace = [local_file.source.content]

  provisioner "local-exec" {
    # Waits until the run has ended; not certified is a failed apply, with the reason.
    command = "certifier certify ${local_file.source.filename} --stack ${var.stack}"
  }
}

output "endpoint_arn" {
  value      = aws_dms_endpoint.orders.endpoint_arn
  depends_on = [terraform_data.certified]
}
