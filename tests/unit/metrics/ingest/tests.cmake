cairn_unit_test(NAME metrics/ingest DEPS metrics/ingest metrics/tsdb query disk codec labels base)
