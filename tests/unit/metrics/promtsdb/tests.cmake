cairn_unit_test(NAME metrics/promtsdb DEPS metrics/promtsdb metrics/ingest metrics/model query disk codec labels base)
