# layering: includes against the edges that ckpt_library recorded, and the cheap limits of the style
# guide. layering_self: the check finds what is planted. format: clang-format, where it is installed.
find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  message(WARNING "no Python 3: the tests layering and format are left out")
  return()
endif()

# The property is one flat list, `folder:dep;dep;folder:`; the file has a line per folder.
get_property(edges GLOBAL PROPERTY CKPT_EDGES)
set(edge_lines "")
foreach(item IN LISTS edges)
  if(item MATCHES ":")
    string(APPEND edge_lines "\n${item}")
  else()
    string(APPEND edge_lines ";${item}")
  endif()
endforeach()
string(STRIP "${edge_lines}" edge_lines)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/edges.txt CONTENT "${edge_lines}\n" @ONLY)

set(here ${CMAKE_CURRENT_SOURCE_DIR}/layering)
add_test(NAME layering COMMAND ${Python3_EXECUTABLE} ${here}/check_layers.py
  ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/edges.txt)
add_test(NAME layering_self COMMAND ${Python3_EXECUTABLE} ${here}/check_layers_test.py)

find_program(CKPT_CLANG_FORMAT NAMES clang-format-14 clang-format)
if(CKPT_CLANG_FORMAT)
  add_test(NAME format COMMAND ${Python3_EXECUTABLE} ${here}/check_format.py
    ${PROJECT_SOURCE_DIR} ${CKPT_CLANG_FORMAT})
  set_tests_properties(format PROPERTIES SKIP_RETURN_CODE 77)
endif()

# clang-tidy over the folders that read bytes from strangers; the whole tree takes a quarter of an hour:
#   clang-tidy -p build/release $(git ls-files 'validator/*.cpp')
find_program(CKPT_CLANG_TIDY NAMES clang-tidy-14 clang-tidy)
if(CKPT_CLANG_TIDY AND NOT CKPT_SANITIZE)
  set(tidied ${PROJECT_SOURCE_DIR}/validator/base/json.cpp ${PROJECT_SOURCE_DIR}/validator/base/file.cpp)
  file(GLOB readers ${PROJECT_SOURCE_DIR}/validator/container/*.cpp)
  list(APPEND tidied ${readers})
  add_test(NAME tidy COMMAND ${CKPT_CLANG_TIDY} -quiet -p ${PROJECT_BINARY_DIR} ${tidied})
  set_tests_properties(tidy PROPERTIES TIMEOUT 1200)
endif()
