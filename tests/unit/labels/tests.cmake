cairn_unit_test(NAME labels DEPS labels base)
