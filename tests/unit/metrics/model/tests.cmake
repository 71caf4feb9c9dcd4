cairn_unit_test(NAME metrics/model DEPS metrics/model labels base)
