cairn_unit_test(NAME metrics/scrape DEPS metrics/scrape metrics/discovery net labels codec base)
