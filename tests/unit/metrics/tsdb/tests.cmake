cairn_unit_test(NAME metrics/tsdb DEPS metrics/tsdb metrics/model query disk codec labels base)
