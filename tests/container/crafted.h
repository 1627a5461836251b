#pragma once
// Safetensors files put together byte by byte.

#include <cstdint>
#include <string>

#include "tests/support.h"

namespace ckpt::testing {

/// Length prefix, `header`, `data`.
inline std::string safetensors(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>((header.size() >> (8 * i)) & 0xFF);
  return out + header + data;
}

/// One F32 tensor `name` of four elements at [0, 16].
inline std::string one_tensor(const std::string& name = "w") {
  return R"({")" + name + R"(":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})";
}

}  // namespace ckpt::testing
