#pragma once
// Tiny random checkpoints, written to a temporary folder.

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "validator/base/bits.h"

namespace ckpt::forward::test {

/// Removes its folder at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("ckpt-forward-{}-{}", name, std::hash<const void*>{}(this))) {
    std::filesystem::create_directories(path_);
  }

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct TinyTensor {
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};

using TinyTensors = std::map<std::string, TinyTensor>;

/// Values in (-scale, scale) that depend on the name alone, so that equal names hold equal weights.
inline TinyTensor tiny(const std::string& name, std::vector<std::uint64_t> shape, float scale) {
  TinyTensor t{std::move(shape), {}};
  std::uint64_t count = 1;
  for (const std::uint64_t d : t.shape) count *= d;
  std::uint64_t state = 1469598103934665603ULL;
  for (const char c : name) {
    state = (state ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto unit = static_cast<float>(static_cast<double>(state >> 11U) * 0x1p-52 - 1.0);
    t.values.push_back(bf16_to_f32(f32_to_bf16(unit * scale)));
  }
  return t;
}

/// Writes config.json and model.safetensors in BF16.
inline void write_model(const std::string& folder, const std::string& config,
                        const TinyTensors& tensors) {
  std::ofstream(folder + "/config.json") << config;
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  std::string data;
  for (const auto& [name, t] : tensors) {
    const std::size_t begin = data.size();
    for (const float v : t.values) {
      const std::uint16_t half = f32_to_bf16(v);
      data.push_back(static_cast<char>(half & 0xFF));
      data.push_back(static_cast<char>(half >> 8));
    }
    header += fmt::format(",\"{}\":{{\"dtype\":\"BF16\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          name, fmt::join(t.shape, ","), begin, data.size());
  }
  header += "}";
  while (header.size() % 8 != 0) header.push_back(' ');
  std::ofstream out(folder + "/model.safetensors", std::ios::binary);
  for (int i = 0; i < 8; ++i) out.put(static_cast<char>((header.size() >> (8 * i)) & 0xFF));
  out << header << data;
}

}  // namespace ckpt::forward::test
