cairn_unit_test(NAME metrics/tsdb DEPS metrics/tsdb query disk codec labels base)
