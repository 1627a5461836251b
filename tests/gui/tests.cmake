# The viewer: its state without a window, its views on a backend that draws nothing, and the program.
ckpt_test(gui/state DEPENDS gui/state)
if(NOT CKPT_GUI_MISSING)
  ckpt_test(gui/views DEPENDS gui/state gui/views LIBRARIES imgui ${CKPT_STB_LIBRARY})
  ckpt_test(gui/window DEPENDS gui/state gui/views)
  add_dependencies(test_gui_window ckpt-check)
  target_compile_definitions(test_gui_window PRIVATE CKPT_BINARY="$<TARGET_FILE:ckpt-check>")
  set_tests_properties(gui_window PROPERTIES TIMEOUT 300)
endif()
