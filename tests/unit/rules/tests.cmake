cairn_unit_test(NAME rules DEPS rules metrics/promql metrics/model query labels codec base)
