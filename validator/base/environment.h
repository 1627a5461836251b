#pragma once

#include <cstdlib>
#include <string>

namespace ckpt {

/// The value of an environment variable, "" when it is not set.
[[nodiscard]] inline std::string env(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string{} : std::string(value);
}

/// Whether a variable says yes, as huggingface_hub 1.33 reads it: 1, ON, YES or TRUE in any case.
[[nodiscard]] inline bool env_true(const char* name) {
  std::string value = env(name);
  for (char& c : value) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

}  // namespace ckpt
