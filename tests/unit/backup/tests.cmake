cairn_unit_test(NAME backup DEPS backup disk net codec base)
