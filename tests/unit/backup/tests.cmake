cairn_unit_test(NAME backup DEPS backup disk codec base)
