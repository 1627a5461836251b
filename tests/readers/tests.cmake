# Each report through the programs that others read it with. They come from PyPI, so that only
# `./test --full` has them; elsewhere the test is skipped and says so.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  set(readers ${PROJECT_SOURCE_DIR}/build/readers)
  foreach(suite IN ITEMS ci formats page picture remote)
    add_test(NAME readers_${suite}
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/readers/${suite}_test.py
        --program $<TARGET_FILE:ckpt-check> --environment ${readers}
        --fixtures ${PROJECT_SOURCE_DIR}/fixtures --rules ${PROJECT_BINARY_DIR}/rule_fixtures
        --output ${PROJECT_BINARY_DIR}/readers_${suite})
    set_tests_properties(readers_${suite} PROPERTIES SKIP_RETURN_CODE 77 FIXTURES_REQUIRED rule_fixtures)
  endforeach()
endif()
