cairn_unit_test(NAME metrics/scrape DEPS metrics/scrape metrics/discovery metrics/ingest metrics/model net labels codec base)
