cairn_unit_test(NAME golang DEPS golang labels codec base)
