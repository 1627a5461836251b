// What the machine has: memory to use, folders to write to.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "validator/base/text.h"
#include "validator/cli/kl_machine.h"
#include "validator/cli/options.h"

namespace ckpt::cli {
namespace {

constexpr std::uint64_t kLeastMemory = 256ULL << 20;

std::uint64_t number_in(const std::string& path, std::string_view key) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    if (!key.empty() && word != key) continue;
    if (!key.empty() && !(in >> word)) break;
    return std::strtoull(word.c_str(), nullptr, 10);
  }
  return 0;
}

/// Processes of one `mpirun` on this machine.
std::uint64_t sharers() {
  const char* text = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  return text == nullptr ? 1 : std::max(1ULL, std::strtoull(text, nullptr, 10));
}

/// Three quarters of what is free, and never more than a control group allows; processes of one
/// run share it.
std::uint64_t default_memory() {
  constexpr std::uint64_t kKilo = 1024;
  std::uint64_t free_bytes = number_in("/proc/meminfo", "MemAvailable:") * kKilo;
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const std::uint64_t limit = number_in(file, "");
    if (limit != 0 && (free_bytes == 0 || limit < free_bytes)) free_bytes = limit;
  }
  return free_bytes == 0 ? 4ULL << 30 : std::max(kLeastMemory, free_bytes / 4 * 3 / sharers());
}

}  // namespace

Result<std::uint64_t> memory_of(const std::string& asked) {
  if (asked.empty()) return default_memory();
  std::uint64_t bytes = 0;
  if (!parse_size(asked, bytes) || bytes == 0) {
    return fail(ErrorKind::usage,
                fmt::format("--memory `{}`: write a size such as 8G or 16Gi", shown(asked, 40)));
  }
  return bytes;
}

std::string state_folder() {
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : std::string(value);
  };
  std::string base = env("XDG_STATE_HOME");
  if (base.empty() && !env("HOME").empty()) base = env("HOME") + "/.local/state";
  return base.empty() ? base : base + "/ckpt-check/runs";
}

}  // namespace ckpt::cli
