# The fixtures of the catalogue are made when the tests run: they are many, small and derived.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  ckpt_test(rules DEPENDS validator/rules validator/pipeline)
  set(rule_fixtures ${PROJECT_BINARY_DIR}/rule_fixtures)
  target_compile_definitions(test_rules PRIVATE CKPT_RULE_FIXTURES="${rule_fixtures}")
  add_test(NAME rule_fixtures
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/fixtures/rules/make.py --output ${rule_fixtures})
  set_tests_properties(rule_fixtures PROPERTIES FIXTURES_SETUP rule_fixtures)
  set_tests_properties(rules PROPERTIES FIXTURES_REQUIRED rule_fixtures)
else()
  message(WARNING "no Python 3: the tests of the rule catalogue are left out")
endif()
