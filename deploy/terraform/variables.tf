variable "project" {
  description = "Name that every resource carries."
  type        = string
  default     = "cairn"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.project))
    error_message = "project is 2 to 20 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "environment" {
  description = "Label `environment` of the application's metrics and logs, and a tag."
  type        = string
  default     = "production"
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,32}$", var.environment))
    error_message = "environment is 1 to 32 letters, digits, dashes and underscores."
  }
}

variable "app_version" {
  description = "Label `version` of flask_app_info."
  type        = string
  default     = "1.0.0"
  validation {
    condition     = can(regex("^[a-zA-Z0-9._-]{1,32}$", var.app_version))
    error_message = "app_version is 1 to 32 letters, digits, dots, dashes and underscores."
  }
}

variable "topology" {
  description = "`classic`: four instances, one a role; `single`: one instance with every role."
  type        = string
  default     = "single"
  validation {
    condition     = contains(["classic", "single"], var.topology)
    error_message = "topology is classic (four instances) or single (one)."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"
  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 28, false)
    error_message = "vpc_cidr is an IPv4 network such as 10.0.0.0/16, with a prefix from /16 to /28."
  }
}

variable "public_subnet_cidr" {
  description = "Addresses of the subnet that holds the instances; inside vpc_cidr."
  type        = string
  default     = "10.0.1.0/24"
  validation {
    condition     = can(cidrnetmask(var.public_subnet_cidr))
    error_message = "public_subnet_cidr is an IPv4 network such as 10.0.1.0/24."
  }
}

variable "private_subnet_cidr" {
  description = "Addresses of the private subnet, reserved while network_mode is public; inside vpc_cidr."
  type        = string
  default     = "10.0.2.0/24"
  validation {
    condition     = can(cidrnetmask(var.private_subnet_cidr))
    error_message = "private_subnet_cidr is an IPv4 network such as 10.0.2.0/24."
  }
}

variable "network_mode" {
  description = "Where the instances stand: `public`; `private_nat` (private subnet, internet by a NAT gateway); `private_endpoints` (private subnet, AWS by endpoints, no internet: needs debian_mirror)."
  type        = string
  default     = "public"
  validation {
    condition     = contains(["public", "private_nat", "private_endpoints"], var.network_mode)
    error_message = "network_mode is public, private_nat or private_endpoints."
  }
}

variable "narrow_flows" {
  description = "Whether instances may open only the connections that the roles need, to each other by group, and https and http for packages and AWS; false: the open egress of the four-server stack."
  type        = bool
  default     = false
}

variable "debian_mirror" {
  description = "Debian mirror that the instances use in place of the image's, such as one in a bucket behind the S3 endpoint; security updates come from its sister with -security at the end of the address. Null: the image's."
  type        = string
  default     = null
  validation {
    condition     = var.debian_mirror == null || can(regex("^https?://[A-Za-z0-9._/-]+[^/]$", var.debian_mirror))
    error_message = "debian_mirror is an http:// or https:// address without a slash at the end, such as https://mirror.example.com/debian."
  }
}

variable "flow_logs_days" {
  description = "How long the VPC's flow logs are kept in CloudWatch; 0: none are made."
  type        = number
  default     = 0
  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_logs_days)
    error_message = "flow_logs_days is 0 or a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "private_zone" {
  description = "Name of a private DNS zone to make, such as cairn.internal: nodes then know each other as loki., flask., prometheus. and grafana. in it. Null: by address."
  type        = string
  default     = null
  validation {
    condition     = var.private_zone == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.private_zone))
    error_message = "private_zone is a domain of at least two parts in lower case, such as cairn.internal."
  }
}

variable "tls_secret_arn" {
  description = "ARN of a Secrets Manager secret {\"ca\": PEM, \"certificate\": PEM, \"key\": PEM} for *.private_zone: every port then speaks TLS only, the nodes trust that CA, and Loki and Prometheus let in only who shows a certificate of it. Null: plain http."
  type        = string
  default     = null
  validation {
    condition     = var.tls_secret_arn == null || can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$", var.tls_secret_arn))
    error_message = "tls_secret_arn is the ARN of a Secrets Manager secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME; never the key itself."
  }
}

variable "snapshots_keep" {
  description = "How many daily EBS snapshots of each root volume are kept; 0: none are made."
  type        = number
  default     = 7
  validation {
    condition     = var.snapshots_keep >= 0 && var.snapshots_keep <= 1000 && floor(var.snapshots_keep) == var.snapshots_keep
    error_message = "snapshots_keep is a whole number from 0 to 1000."
  }
}

variable "snapshots_at" {
  description = "When the daily snapshot begins, UTC."
  type        = string
  default     = "03:00"
  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.snapshots_at))
    error_message = "snapshots_at is a time of day such as 03:00."
  }
}

variable "availability_zone" {
  description = "Zone of both subnets; the region's first when null."
  type        = string
  default     = null
}

variable "access" {
  description = "How people reach a shell: `ssh` (port 22 from allowed_ssh_cidr), `ssm` (Session Manager; no port 22) or `both`."
  type        = string
  default     = "ssh"
  validation {
    condition     = contains(["ssh", "ssm", "both"], var.access)
    error_message = "access is ssh, ssm or both."
  }
}

variable "allowed_ssh_cidr" {
  description = "Who may reach port 22; null with access = \"ssm\"."
  type        = string
  default     = null
  validation {
    condition     = var.allowed_ssh_cidr == null || can(cidrnetmask(var.allowed_ssh_cidr))
    error_message = "allowed_ssh_cidr is an IPv4 network such as 203.0.113.7/32."
  }
}

variable "i_accept_public_ssh" {
  description = "Allows allowed_ssh_cidr to be wider than /8, the whole internet included."
  type        = bool
  default     = false
}

variable "allowed_web_cidr" {
  description = "Who may reach the web pages: ports 3000, 5000 and 9090. Null: nobody from outside; pages are reached by port forwarding."
  type        = string
  validation {
    condition     = var.allowed_web_cidr == null || can(cidrnetmask(var.allowed_web_cidr))
    error_message = "allowed_web_cidr is an IPv4 network such as 203.0.113.0/24."
  }
}

variable "architecture" {
  description = "Processor of the instances: arm64 (Graviton) or amd64."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "architecture is arm64 or amd64."
  }
}

variable "instance_type" {
  description = "Instance type; t4g.nano for single and t4g.micro for classic when null."
  type        = string
  default     = null
  validation {
    condition     = var.instance_type == null || can(regex("^[a-z][a-z0-9-]*[0-9][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type is a family and a size, such as t4g.micro."
  }
}

variable "instance_types" {
  description = "Instance type of single roles (logs, app, metrics, dashboards), before instance_type."
  type        = map(string)
  default     = {}
  validation {
    condition     = length(setsubtract(keys(var.instance_types), ["logs", "app", "metrics", "dashboards", "all"])) == 0
    error_message = "instance_types has the keys logs, app, metrics and dashboards (classic), or all (single)."
  }
}

variable "root_volume_gb" {
  description = "Size of each root volume."
  type        = number
  default     = 10
  validation {
    condition     = var.root_volume_gb >= 8 && var.root_volume_gb <= 16384 && floor(var.root_volume_gb) == var.root_volume_gb
    error_message = "root_volume_gb is a whole number from 8 (the Debian image and a day of data do not fit in less) to 16384."
  }
}

variable "kms_key_id" {
  description = "ARN of the KMS key of the volumes and flow logs; the account's default key when null."
  type        = string
  default     = null
}

variable "detailed_monitoring" {
  description = "CloudWatch figures of the instances each minute (billed) in place of every five."
  type        = bool
  default     = false
}

variable "key_name" {
  description = "Name of an existing EC2 key pair for SSH; none when null."
  type        = string
  default     = null
}

variable "scrape_interval" {
  description = "How often the application is scraped."
  type        = string
  default     = "10s"
  validation {
    condition     = can(regex("^([1-9][0-9]*s|[1-9][0-9]?m)$", var.scrape_interval))
    error_message = "scrape_interval is whole seconds or minutes, such as 10s or 1m."
  }
}

variable "metrics_retention" {
  description = "How long samples are kept, as Prometheus writes it."
  type        = string
  default     = "15d"
  validation {
    condition     = can(regex("^([2-9]h|[1-9][0-9]{1,3}h|[1-9][0-9]{0,3}d|[1-9][0-9]{0,2}w|[1-9][0-9]?y)$", var.metrics_retention))
    error_message = "metrics_retention is a number and h, d, w or y, at least 2h: 15d, 36h, 1y."
  }
}

variable "logs_retention" {
  description = "How long log lines are kept, in hours as Loki writes it: a multiple of the index period, 24h."
  type        = string
  default     = "168h"
  validation {
    condition     = can(regex("^[1-9][0-9]{1,4}h$", var.logs_retention)) && try(tonumber(trimsuffix(var.logs_retention, "h")) % 24 == 0, false)
    error_message = "logs_retention is whole hours, a multiple of 24h (the index period): 168h, 720h."
  }
}

variable "admin_password_parameter" {
  description = "Name of the Parameter Store SecureString that holds the administrator's password; null: made at first boot, kept in a file only root and the service read."
  type        = string
  default     = null
  validation {
    condition     = var.admin_password_parameter == null || can(regex("^/[a-zA-Z0-9_./-]{1,200}$", var.admin_password_parameter))
    error_message = "admin_password_parameter is a full parameter name that begins with a slash, such as /cairn/admin-password; never the password itself."
  }
}

variable "admin_password_kms_key_arn" {
  description = "KMS key of that parameter when it is not the account's aws/ssm key."
  type        = string
  default     = null
}

variable "package_urls" {
  description = "Where the packages are, for each architecture: folders that hold cairn_VERSION_ARCH.deb and cairn-compat_VERSION_all.deb; tried in order."
  type        = map(list(string))
  validation {
    condition     = alltrue(flatten([for a, urls in var.package_urls : [contains(["arm64", "amd64"], a), length(urls) > 0, [for u in urls : can(regex("^https://[^ '\"$`\\\\]+[^/ '\"$`\\\\]$", u))]]]))
    error_message = "package_urls maps arm64 or amd64 to at least one https:// address of a folder, without a slash at the end."
  }
}

variable "package_version" {
  description = "Version of the packages."
  type        = string
  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+[a-z0-9.~+-]*$", var.package_version))
    error_message = "package_version is the version in the packages' names, such as 0.1.0."
  }
}

variable "package_sha256" {
  description = "SHA-256 of the two packages for each architecture, as `make deb` writes them to SHA256SUMS."
  type        = map(object({ cairn = string, compat = string }))
  validation {
    condition     = alltrue(flatten([for a, s in var.package_sha256 : [contains(["arm64", "amd64"], a), can(regex("^[0-9a-f]{64}$", s.cairn)), can(regex("^[0-9a-f]{64}$", s.compat))]]))
    error_message = "package_sha256 maps arm64 or amd64 to { cairn, compat }, each 64 hexadecimal digits."
  }
}

variable "tags" {
  description = "Tags of every resource, beside Name, Project, Environment."
  type        = map(string)
  default     = {}
}
