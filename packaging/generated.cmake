# Runs while installing; the caller sets `ckpt_program` and the rest.

cmake_policy(VERSION 3.25)

# A relative folder is below the prefix; the wheel's are absolute.
function(place folder out)
  if(NOT IS_ABSOLUTE "${folder}")
    set(folder "${CMAKE_INSTALL_PREFIX}/${folder}")
  endif()
  set(${out} "$ENV{DESTDIR}${folder}" PARENT_SCOPE)
endfunction()

# write(PATH ARGUMENT ...): what the program prints, as a file.
function(write path)
  get_filename_component(folder "${path}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  execute_process(COMMAND "${ckpt_program}" ${ARGN} OUTPUT_FILE "${path}" COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "Generated: ${path}")
endfunction()

# gzip(PATH): as Debian has its documents; without the tool the file stays as it is.
function(gzip path)
  find_program(CKPT_GZIP gzip)
  if(CKPT_GZIP)
    execute_process(COMMAND "${CKPT_GZIP}" -9nf "${path}" COMMAND_ERROR_IS_FATAL ANY)
  endif()
endfunction()

# The licence texts: ours, and of each package that NOTICE lists the file that came with it.
function(write_licences path)
  file(READ "${ckpt_source}/NOTICE" text)
  string(REGEX MATCHALL "\n  [a-z0-9.+-]+-dev " packages "${text}")
  string(APPEND text "\nA copy of the Apache License 2.0 is /usr/share/common-licenses/Apache-2.0 on Debian,"
    "\nthe file LICENSE elsewhere.\n")
  foreach(package IN LISTS packages)
    string(STRIP "${package}" package)
    set(from "/usr/share/doc/${package}/copyright")
    if(EXISTS "${from}")
      file(READ "${from}" licence)
      string(APPEND text "\n--- ${package} ---\n\n${licence}")
    elseif(ckpt_bundle)
      message(FATAL_ERROR "no licence text: ${from}")
    else()
      message(WARNING "no licence text: ${from}")
    endif()
  endforeach()
  file(WRITE "${path}" "${text}")
  message(STATUS "Generated: ${path}")
endfunction()

# The shared libraries of the program that are not part of every Linux system.
function(bundle_libraries folder)
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${ckpt_program}" RESOLVED_DEPENDENCIES_VAR libraries
    PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|gcc_s|stdc\\+\\+)\\.so")
  foreach(library IN LISTS libraries)
    get_filename_component(name "${library}" NAME)
    file(REAL_PATH "${library}" real)
    file(MAKE_DIRECTORY "${folder}")
    file(COPY_FILE "${real}" "${folder}/${name}")
    message(STATUS "Bundled: ${folder}/${name}")
  endforeach()
endfunction()

place("${ckpt_share}" to)
set(zsh zsh/site-functions)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(zsh zsh/vendor-completions)  # where Debian's zsh looks for the files of packages
endif()
write("${to}/bash-completion/completions/ckpt-check" completions bash)
write("${to}/${zsh}/_ckpt-check" completions zsh)
write("${to}/fish/vendor_completions.d/ckpt-check.fish" completions fish)
write("${to}/man/man1/ckpt-check.1" man)
gzip("${to}/man/man1/ckpt-check.1")
write_licences("${to}/doc/ckpt-check/copyright")
configure_file("${ckpt_source}/packaging/debian/changelog" "${to}/doc/ckpt-check/changelog" COPYONLY)
gzip("${to}/doc/ckpt-check/changelog")
if(ckpt_bundle)
  place("${ckpt_lib}" to)
  bundle_libraries("${to}")
endif()
