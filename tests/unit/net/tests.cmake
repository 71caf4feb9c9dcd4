cairn_unit_test(NAME net DEPS net codec labels base)
