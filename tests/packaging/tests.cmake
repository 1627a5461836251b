# What an installation and the packages hold, and whether NOTICE is what the program is made of.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME packaging
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/packaging/packaging_test.py
      --program $<TARGET_FILE:ckpt-check> --source ${PROJECT_SOURCE_DIR}
      --build ${PROJECT_BINARY_DIR} --version ${PROJECT_VERSION})
  # Installs the .deb through apt where there is nothing else; only `./test --full` does.
  add_test(NAME packaging_fresh_system
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/packaging/fresh_system_test.py
      --source ${PROJECT_SOURCE_DIR} --build ${PROJECT_BINARY_DIR}
      --environment ${PROJECT_SOURCE_DIR}/build/readers --output ${PROJECT_BINARY_DIR}/fresh_system)
  set_tests_properties(packaging_fresh_system PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
  # Compiles the program once more, with what PyPI has for it; only `./test --full` does.
  add_test(NAME packaging_wheel
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/packaging/wheel_test.py
      --source ${PROJECT_SOURCE_DIR} --environment ${PROJECT_SOURCE_DIR}/build/readers
      --output ${PROJECT_BINARY_DIR}/wheel)
  set_tests_properties(packaging_wheel PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 3600)
endif()
