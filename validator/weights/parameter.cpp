#include "validator/weights/parameter.h"

#include <fmt/format.h>

#include <functional>
#include <numeric>

#include "validator/base/bits.h"

namespace ckpt::weights {

namespace {

float plain_at(Dtype dtype, const std::byte* base, std::uint64_t i) {
  if (dtype == Dtype::f32) return load<float>(base + 4 * i);
  const auto bits = load<std::uint16_t>(base + 2 * i);
  return dtype == Dtype::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

}  // namespace

std::uint64_t Parameter::row_size() const {
  if (shape.empty()) return 1;
  return std::accumulate(shape.begin() + 1, shape.end(), std::uint64_t{1}, std::multiplies<>());
}

Result<void> Parameter::decode(std::uint64_t begin, std::uint64_t end, std::span<float> out) const {
  if (begin > end || end > rows() || out.size() != (end - begin) * row_size()) {
    return fail(ErrorKind::internal, fmt::format("{}: rows {} to {} asked for", name, begin, end));
  }
  if (packed) {
    const quant::PackedLinear linear{layout, data, zeros, scales, g_idx};
    CKPT_TRY_VOID(quant::decode_rows(linear, begin, end, out), name);
    return {};
  }
  for (std::uint64_t i = 0; i < out.size(); ++i) {
    out[i] = plain_at(dtype, data.data(), begin * row_size() + i);
  }
  return {};
}

Result<std::vector<float>> Parameter::decode_all() const {
  std::vector<float> out(rows() * row_size());
  CKPT_TRY_VOID(decode(0, rows(), out), "decode");
  return out;
}

bool same_bytes(const Parameter& a, const Parameter& b) {
  if (a.packed != b.packed || a.shape != b.shape || a.data != b.data) return false;
  if (!a.packed) return a.dtype == b.dtype;
  return a.layout == b.layout && a.zeros == b.zeros && a.scales == b.scales && a.g_idx == b.g_idx;
}

}  // namespace ckpt::weights
