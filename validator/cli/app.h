#pragma once

namespace ckpt::cli {

/// The whole program: parses the command line, runs one command, returns the exit code.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace ckpt::cli
