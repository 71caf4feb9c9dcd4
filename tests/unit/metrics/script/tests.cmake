cairn_unit_test(NAME metrics/script DEPS metrics/script metrics/promql metrics/tsdb metrics/model query disk codec labels base)
