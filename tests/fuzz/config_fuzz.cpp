// Configurations from strangers and our own: config.json with its quantization block becomes a
// blueprint and three load plans, ckpt-check.toml becomes settings or an error, whatever they hold.

#include <unistd.h>

#include <filesystem>

#include "tests/fuzz/input.h"
#include "validator/base/file.h"
#include "validator/pipeline/check.h"
#include "validator/policy/settings.h"

using namespace ckpt;

namespace {

/// A folder of this process, on a memory file system where there is one.
const std::string& folder() {
  static const std::string kFolder = [] {
    std::error_code error;
    const bool shm = std::filesystem::is_directory("/dev/shm", error);
    std::string path =
        std::string(shm ? "/dev/shm" : "/tmp") + "/ckpt-check-fuzz-" + std::to_string(::getpid());
    std::filesystem::create_directories(path, error);
    return path;
  }();
  return kFolder;
}

void check_repo(const std::string& config, const std::string& side) {
  fuzz::must(write_file(folder() + "/config.json", config).has_value());
  fuzz::must(write_file(folder() + "/quantization_config.json", side).has_value());
  const auto opened = pipeline::open_target(folder());
  fuzz::must(opened.has_value());
  ThreadPool pool(1);
  NoProgress quiet;
  const results::Results r = pipeline::run_check(**opened, {}, pool, quiet, {});
  for (const results::Finding& f : r.findings) fuzz::must(!f.message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [first, second] = fuzz::two_texts(data, size);
  if (first.starts_with('[')) {  // TOML begins with a table, and no config does
    const std::string path = folder() + "/settings.toml";
    fuzz::must(write_file(path, first).has_value());
    const auto settings = policy::read_settings(path, /*now=*/20'778);
    if (!settings) fuzz::must(!settings.error().message.empty());
    return 0;
  }
  check_repo(first, second);
  return 0;
}
