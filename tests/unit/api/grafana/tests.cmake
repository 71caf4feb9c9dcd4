cairn_unit_test(NAME api/grafana DEPS api/grafana dashboards net disk labels codec base)
