cairn_unit_test(NAME metrics/dump DEPS metrics/dump metrics/tsdb metrics/promtsdb metrics/model disk query codec labels base)
