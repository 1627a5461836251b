# The viewer: its state without a window, its views on a backend that draws nothing, and the program.
ckpt_test(gui/state DEPENDS gui/state)
if(NOT CKPT_GUI_MISSING)
  ckpt_test(gui/views DEPENDS gui/state gui/views LIBRARIES imgui ${CKPT_STB_LIBRARY})
  ckpt_test(gui/window DEPENDS gui/state gui/views)
  add_dependencies(test_gui_window ckpt-check)
  target_compile_definitions(test_gui_window PRIVATE CKPT_BINARY="$<TARGET_FILE:ckpt-check>")
  set_tests_properties(gui_window PROPERTIES TIMEOUT 300)
  if(CKPT_SANITIZE MATCHES "address")
    # A driver that is unloaded before leaks are looked for has no name to suppress them by.
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libasan.so
      OUTPUT_VARIABLE asan OUTPUT_STRIP_TRAILING_WHITESPACE)
    find_file(CKPT_SWRAST swrast_dri.so PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/dri)
    if(CKPT_SWRAST AND IS_ABSOLUTE "${asan}")
      file(REAL_PATH ${asan} asan)
      target_compile_definitions(test_gui_window PRIVATE CKPT_DRIVER_ENVIRONMENT="LD_PRELOAD=${asan}:${CKPT_SWRAST} LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/gui/swrast_dri.supp")
    endif()
  endif()
endif()
