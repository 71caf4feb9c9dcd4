cairn_unit_test(NAME metrics/ingest DEPS metrics/ingest metrics/tsdb metrics/model query disk codec labels base)
