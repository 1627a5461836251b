if(CKPT_FUZZ)
  add_subdirectory(fuzz)
endif()
