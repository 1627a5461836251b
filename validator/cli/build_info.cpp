#include "validator/cli/build_info.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace ckpt::cli {

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("clang {}.{}", __clang_major__, __clang_minor__);
#else
  return fmt::format("gcc {}.{}", __GNUC__, __GNUC_MINOR__);
#endif
}

std::string build_text() {
  const BuildInfo b = build_info();
  std::string out = fmt::format("{}, {}", b.type, compiler_name());
  if (!b.sanitize.empty()) out += fmt::format(", sanitizers {}", b.sanitize);
  for (const auto& [there, word] :
       {std::pair{b.cuda_plugin, "cuda plugin"}, std::pair{b.mpi_plugin, "mpi plugin"},
        std::pair{b.viewer, "viewer"}, std::pair{b.images, "images"}}) {
    if (there) out += fmt::format(", {}", word);
  }
  return out;
}

std::string build_json() {
  const BuildInfo b = build_info();
  return nlohmann::ordered_json{{"type", b.type},
                                {"compiler", compiler_name()},
                                {"sanitize", b.sanitize},
                                {"cuda_plugin", b.cuda_plugin},
                                {"mpi_plugin", b.mpi_plugin},
                                {"viewer", b.viewer},
                                {"images", b.images}}
      .dump();
}

}  // namespace ckpt::cli
