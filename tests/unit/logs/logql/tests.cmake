cairn_unit_test(NAME logs/logql DEPS logs/logql golang query labels codec base)
