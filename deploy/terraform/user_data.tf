# What each node writes and starts at its first boot. Configuration is where the originals have it, and Cairn runs from these files.
locals {
  # One local a file: what a node writes may not wait for a node that comes later.
  file_prometheus = templatefile("${path.module}/templates/prometheus.yml.tftpl", {
    app      = var.topology == "single" ? "localhost" : join("", module.app[*].private_ip), environment = var.environment,
    interval = var.scrape_interval, retention = var.metrics_retention
  })
  file_loki = templatefile("${path.module}/templates/loki-config.yml.tftpl", { retention = var.logs_retention })
  file_promtail = templatefile("${path.module}/templates/promtail-config.yml.tftpl", {
    loki = var.topology == "single" ? "localhost" : join("", module.logs[*].private_ip), environment = var.environment
  })
  file_datasources = templatefile("${path.module}/templates/datasources.yml.tftpl", {
    prometheus = var.topology == "single" ? "localhost" : join("", module.metrics[*].private_ip)
    loki       = var.topology == "single" ? "localhost" : join("", module.logs[*].private_ip)
  })
  flask_flags = "--environment=${var.environment} --app-version=${var.app_version}"
  app_readme  = "Cairn's sample application stands here (flask-app.service); its log is /var/log/app.log.\n"

  files_logs = { "/etc/loki/config.yml" = local.file_loki }
  files_app = {
    "/etc/promtail/config.yml" = local.file_promtail
    "/etc/default/flask-app"   = "ARGS=\"${local.flask_flags}\"\n"
    "/opt/flask-app/README"    = local.app_readme
  }
  files_metrics = {
    "/etc/prometheus/prometheus.yml" = local.file_prometheus
    "/etc/default/prometheus"        = "ARGS=\"--storage.tsdb.retention.time=${var.metrics_retention}\"\n"
  }
  files_dashboards = {
    "/etc/grafana/grafana.ini"                              = file("${path.module}/templates/grafana.ini")
    "/etc/grafana/provisioning/datasources/datasources.yml" = local.file_datasources
    "/etc/grafana/provisioning/dashboards/dashboards.yml"   = file("${path.module}/templates/dashboards.yml")
  }
  files_all = merge(local.files_logs, local.files_metrics, local.files_dashboards, {
    "/etc/promtail/config.yml" = local.file_promtail
    "/opt/flask-app/README"    = local.app_readme
    # One service in the place of five: it writes where each of them did.
    "/etc/systemd/system/cairn.service.d/places.conf" = "[Service]\nReadWritePaths=-/var/log/app.log -/var/lib/loki -/var/lib/promtail -/var/lib/grafana\n"
    "/etc/default/cairn" = join("", ["CAIRN_FLAGS=\"", join(" ", [
      "--listen=0.0.0.0 --demo --demo-log=/var/log/app.log --metrics-config=/etc/prometheus/prometheus.yml",
      "--logs-config=/etc/loki/config.yml --agent-config=/etc/promtail/config.yml --dashboards-config=/etc/grafana/grafana.ini",
    ]), "\"\n"])
  })

  boot = {
    urls      = join(" ", local.packages)
    version   = var.package_version
    arch      = var.architecture
    sha_cairn = try(local.package_sums.cairn, "")
    sha_rest  = try(local.package_sums.compat, "")
    parameter = var.admin_password_parameter == null ? "" : var.admin_password_parameter
    region    = data.aws_region.here.region
  }
  user_data_logs       = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_logs, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "logs", units = "loki", parameter = "" })) })
  user_data_app        = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_app, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "app", units = "flask-app promtail", parameter = "" })) })
  user_data_metrics    = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_metrics, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "metrics", units = "prometheus", parameter = "" })) })
  user_data_dashboards = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_dashboards, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "dashboards", units = "grafana-server" })) })
  user_data_all        = templatefile("${path.module}/templates/cloud-init.yml.tftpl", { files = local.files_all, script = templatefile("${path.module}/templates/bootstrap.sh.tftpl", merge(local.boot, { role = "all", units = "cairn" })) })
}
