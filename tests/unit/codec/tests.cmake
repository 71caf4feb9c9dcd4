cairn_unit_test(NAME codec DEPS codec base)
