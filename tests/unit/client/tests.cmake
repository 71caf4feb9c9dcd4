cairn_unit_test(NAME client DEPS client base)
# The private headers of the module under test.
target_include_directories(unit_client PRIVATE ${CMAKE_SOURCE_DIR}/src/client)
