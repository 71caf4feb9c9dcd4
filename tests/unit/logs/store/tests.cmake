cairn_unit_test(NAME logs/store DEPS logs/store disk query labels codec base)
