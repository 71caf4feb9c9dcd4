cairn_unit_test(NAME metrics/promql DEPS metrics/promql metrics/tsdb metrics/model disk query codec labels base)
