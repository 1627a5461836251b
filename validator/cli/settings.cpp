// The configuration that a run uses, and the one that a target brings and nobody asked for.

#include <fmt/format.h>

#include <filesystem>

#include "validator/base/text.h"
#include "validator/cli/options.h"

namespace ckpt::cli {

Result<policy::Settings> load_settings(const GlobalOptions& global) {
  if (global.config == "none") return policy::Settings{};
  const std::string path = global.config.empty() ? policy::find_settings(".") : global.config;
  if (path.empty()) return policy::Settings{};
  return policy::read_settings(path, policy::today());
}

void note_unused_settings(const policy::Settings& settings, const std::string& target,
                          results::Results& results) {
  std::error_code error;
  const std::filesystem::path own = std::filesystem::path(target) / policy::kSettingsName;
  if (target.empty() || !std::filesystem::exists(own, error)) return;
  const bool used =
      !settings.file.empty() && std::filesystem::equivalent(own, settings.file, error);
  if (used) return;
  results.notes.push_back(
      fmt::format("the target brings a {}, which is not used; to use it: --config {}",
                  policy::kSettingsName, shown(own.string(), 1000)));
}

}  // namespace ckpt::cli
