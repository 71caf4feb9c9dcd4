cairn_unit_test(NAME disk DEPS disk codec base)
