cairn_unit_test(NAME logs/logql DEPS logs/logql query labels codec base)
