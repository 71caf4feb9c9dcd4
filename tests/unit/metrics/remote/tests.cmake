cairn_unit_test(NAME metrics/remote DEPS metrics/remote metrics/ingest metrics/model query net labels codec base)
