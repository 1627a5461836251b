# Runs the commands of README.md and docs/, and compares what they print.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME docs
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/docs/docs_test.py
      --program $<TARGET_FILE:ckpt-check> --source ${PROJECT_SOURCE_DIR}
      --output ${PROJECT_BINARY_DIR}/docs_workspace)
endif()
