cairn_unit_test(NAME dashboards DEPS dashboards disk codec base)
