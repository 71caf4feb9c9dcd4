cairn_unit_test(NAME agent DEPS agent agent/inputs agent/stages agent/outputs agent/model metrics/discovery logs/model net disk golang labels codec client base)
# The private headers of the module under test.
target_include_directories(unit_agent PRIVATE ${CMAKE_SOURCE_DIR}/src/agent ${CMAKE_SOURCE_DIR}/tests/unit/agent)
