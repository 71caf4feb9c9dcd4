# What each node writes and starts at its first boot. Configuration is where the originals have it, and Cairn runs from these files.
locals {
  # How a node is named by the others; localhost when it has no others.
  host = var.topology == "single" ? { loki = "localhost", flask = "localhost", prometheus = "localhost" } : (
    var.private_zone != null ? { for g in ["loki", "flask", "prometheus"] : g => "${g}.${var.private_zone}" } : null
  )
  # One local a file: what a node writes may not wait for a node that comes later.
  file_prometheus = templatefile("${path.module}/templates/prometheus.yml.tftpl", {
    app      = try(local.host.flask, join("", module.app[*].private_ip)), self = local.tls ? local.host.prometheus : "localhost"
    interval = var.scrape_interval, retention = var.metrics_retention, environment = var.environment, tls = local.tls
  })
  file_loki = templatefile("${path.module}/templates/loki-config.yml.tftpl", { retention = var.logs_retention })
  file_promtail = templatefile("${path.module}/templates/promtail-config.yml.tftpl", {
    loki = try(local.host.loki, join("", module.logs[*].private_ip)), environment = var.environment, tls = local.tls
  })
  file_datasources = templatefile("${path.module}/templates/datasources.yml.tftpl", {
    prometheus = try(local.host.prometheus, join("", module.metrics[*].private_ip))
    loki       = try(local.host.loki, join("", module.logs[*].private_ip))
    tls        = local.tls
  })
  flask_flags = "--demo-environment=${var.environment} --demo-version=${var.app_version}"
  app_readme  = "Cairn's sample application stands here (flask-app.service); its log is /var/log/app.log.\n"

  # With TLS every listener reads the certificate that the bootstrap fetched; Loki and Prometheus let in only who shows one of the same CA.
  web_flag     = local.tls ? " --web.config.file=/etc/cairn/web.yml" : ""
  web_file     = "tls_server_config:\n  cert_file: /etc/cairn/tls/certificate.pem\n  key_file: /etc/cairn/tls/key.pem\n"
  files_pages  = local.tls ? { "/etc/cairn/web.yml" = local.web_file } : {}
  files_stores = local.tls ? { "/etc/cairn/web.yml" = "${local.web_file}  client_ca_file: /etc/cairn/tls/ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n" } : {}

  files_logs = merge(local.files_stores, { "/etc/loki/config.yml" = local.file_loki }, local.tls ? { "/etc/default/loki" = "ARGS=\"${trimspace(local.web_flag)}\"\n" } : {})
  files_app = merge(local.files_pages, local.tls ? { "/etc/default/promtail" = "ARGS=\"${trimspace(local.web_flag)}\"\n" } : {}, {
    "/etc/promtail/config.yml" = local.file_promtail
    "/etc/default/flask-app"   = "ARGS=\"${local.flask_flags}${local.web_flag}\"\n"
    "/opt/flask-app/README"    = local.app_readme
  })
  files_metrics = merge(local.files_stores, {
    "/etc/prometheus/prometheus.yml" = local.file_prometheus
    "/etc/default/prometheus"        = "ARGS=\"--storage.tsdb.retention.time=${var.metrics_retention}${local.web_flag}\"\n"
  })
  files_dashboards = merge(local.files_pages, {
    "/etc/grafana/grafana.ini"                              = file("${path.module}/templates/grafana.ini")
    "/etc/grafana/provisioning/datasources/datasources.yml" = local.file_datasources
    "/etc/grafana/provisioning/dashboards/dashboards.yml"   = file("${path.module}/templates/dashboards.yml")
  }, local.tls ? { "/etc/default/grafana-server" = "ARGS=\"${trimspace(local.web_flag)}\"\n" } : {})
  files_all = merge(local.files_logs, local.files_metrics, local.files_dashboards, {
    "/etc/promtail/config.yml" = local.file_promtail
    "/opt/flask-app/README"    = local.app_readme
    # One service in the place of five: it writes where each of them did.
    "/etc/systemd/system/cairn.service.d/places.conf" = "[Service]\nReadWritePaths=-/var/log/app.log -/var/lib/loki -/var/lib/promtail -/var/lib/grafana\n"
    "/etc/default/cairn" = join("", ["CAIRN_FLAGS=\"", join(" ", [
      "--listen=0.0.0.0 --demo --demo-address=0.0.0.0:5000 --demo-log=/var/log/app.log", local.flask_flags, "--metrics-config=/etc/prometheus/prometheus.yml",
      "--logs-config=/etc/loki/config.yml --agent-config=/etc/promtail/config.yml --dashboards-config=/etc/grafana/grafana.ini",
    ]), "\"\n"])
  })

  boot = {
    urls            = join(" ", local.packages)
    version         = var.package_version
    arch            = var.architecture
    sha_cairn       = try(local.package_sums.cairn, "")
    sha_rest        = try(local.package_sums.compat, "")
    parameter       = var.admin_password_parameter == null ? "" : var.admin_password_parameter
    session_manager = var.access == "ssh" ? "no" : "yes"
    secret          = local.tls ? var.tls_secret_arn : ""
    mirror          = var.debian_mirror == null ? "" : var.debian_mirror
    region          = data.aws_region.here.region
    domain          = data.aws_partition.here.dns_suffix
  }
  user_data_logs       = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_logs, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "logs", units = "loki", parameter = "" })) })
  user_data_app        = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_app, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "app", units = "flask-app promtail", parameter = "" })) })
  user_data_metrics    = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_metrics, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "metrics", units = "prometheus", parameter = "" })) })
  user_data_dashboards = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_dashboards, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "dashboards", units = "grafana-server" })) })
  user_data_all        = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_all, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "all", units = "cairn" })) })
}
