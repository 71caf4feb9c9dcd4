cairn_unit_test(NAME api/prom DEPS api/prom metrics/promql metrics/tsdb metrics/scrape metrics/discovery metrics/ingest metrics/model rules disk net query labels codec base)
