if(TARGET cairn_net)
  cairn_unit_test(NAME demo DEPS demo net client base)
endif()
