cairn_unit_test(NAME disk DEPS disk net codec base)
