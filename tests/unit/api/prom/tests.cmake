cairn_unit_test(NAME api/prom DEPS api/prom net labels codec base)
