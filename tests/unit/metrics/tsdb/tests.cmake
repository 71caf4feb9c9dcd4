cairn_unit_test(NAME metrics/tsdb DEPS metrics/tsdb metrics/promtsdb metrics/model query disk codec labels base)
