#pragma once
// Runs the built program as a user would.

#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "tests/support.h"

namespace ckpt::testing {

struct Ran {
  int code = -1;  ///< exit code; 128 + signal when killed
  std::string out;
  std::string err;
};

/// `arguments` go through the shell; standard error is caught in a file.
inline Ran run_program(const std::string& arguments, const std::string& environment = "") {
  const TempDir dir;
  const std::string command = "cd " + dir.path() + " && env XDG_STATE_HOME=" + dir.path() +
                              "/state " + environment + " " + CKPT_BINARY + " " + arguments +
                              " > out 2> err < /dev/null";
  const int status = std::system(command.c_str());
  Ran r;
  r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  r.out = read_all(dir.path() + "/out");
  r.err = read_all(dir.path() + "/err");
  return r;
}

}  // namespace ckpt::testing
