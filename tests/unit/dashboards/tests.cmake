cairn_unit_test(NAME dashboards DEPS dashboards base)
