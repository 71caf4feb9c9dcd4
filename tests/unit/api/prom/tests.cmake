cairn_unit_test(NAME api/prom DEPS api/prom net query labels codec base)
