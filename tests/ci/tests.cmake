# A repository whose job fails, is repaired, passes, and keeps its card: end to end.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME ci_example
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/ci/example_test.py
      --program $<TARGET_FILE:ckpt-check> --rules ${PROJECT_BINARY_DIR}/rule_fixtures
      --check ${PROJECT_SOURCE_DIR}/packaging/ci/check.sh)
  set_tests_properties(ci_example PROPERTIES FIXTURES_REQUIRED rule_fixtures)
endif()
