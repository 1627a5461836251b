# Repos on the hub: a server on this machine plays the hub and its storage.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME hub
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/repo/hub_test.py
      --program $<TARGET_FILE:ckpt-check> --fixtures ${PROJECT_SOURCE_DIR}/fixtures
      --output ${PROJECT_BINARY_DIR}/hub)
endif()
