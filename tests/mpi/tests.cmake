# The program under mpirun with 2 and 4 processes on this machine; skipped where there is no mpirun.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND CKPT_MPI_FOUND)
  add_test(NAME mpi
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/mpi/mpi_test.py
      --program $<TARGET_FILE:ckpt-check> --plugin $<TARGET_FILE:ckpt_mpi>
      --fixtures ${PROJECT_SOURCE_DIR}/fixtures)
  set_tests_properties(mpi PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
endif()
