#pragma once

#include <string>
#include <string_view>

namespace ckpt::cli {

/// What CMake was told and found when this program was configured. No folders and no times: the
/// same sources, compiler and options give the same bytes.
struct BuildInfo {
  std::string_view type;      ///< `Release`, `Debug`, ...
  std::string_view sanitize;  ///< sanitizers compiled in, empty for none
  bool cuda_plugin = false;   ///< made beside the program; whether it lies there now, `doctor` says
  bool mpi_plugin = false;
  bool viewer = false;
  bool images = false;  ///< the decoders of PNG and JPEG
};

[[nodiscard]] BuildInfo build_info();

/// `gcc 12.2` or `clang 14.0`.
[[nodiscard]] std::string compiler_name();

/// In one line, `Release, gcc 12.2, viewer, images`: of the parts only those that are there.
[[nodiscard]] std::string build_text();

/// The same as an object of JSON, each part true or false.
[[nodiscard]] std::string build_json();

}  // namespace ckpt::cli
