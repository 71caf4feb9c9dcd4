cairn_unit_test(NAME logs/ingest DEPS logs/ingest logs/logql query labels codec base)
