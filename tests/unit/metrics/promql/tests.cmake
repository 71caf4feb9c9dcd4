cairn_unit_test(NAME metrics/promql DEPS metrics/promql metrics/model query codec labels base)
