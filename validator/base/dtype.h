#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ckpt {

/// Element types of safetensors 0.8.0, in the writer's sort order.
enum class Dtype : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

/// The exact spelling used in a header, for example `BF16`.
[[nodiscard]] std::string_view dtype_name(Dtype dtype);
/// Empty when `name` is not the exact spelling of a known dtype.
[[nodiscard]] std::optional<Dtype> parse_dtype(std::string_view name);
/// Bits of one element; 4 and 6 for the sub-byte floats.
[[nodiscard]] unsigned dtype_bits(Dtype dtype);
[[nodiscard]] bool is_float(Dtype dtype);

/// Sizes of the axes, slowest first; empty is a scalar.
using Shape = std::vector<std::uint64_t>;

/// A shape that somebody else owns.
class ShapeView : public std::span<const std::uint64_t> {
 public:
  using std::span<const std::uint64_t>::span;

  ShapeView(std::span<const std::uint64_t> dims)  // NOLINT(google-explicit-constructor)
      : std::span<const std::uint64_t>(dims) {}

  [[nodiscard]] Shape copy() const { return {begin(), end()}; }

  friend bool operator==(ShapeView a, ShapeView b) { return std::ranges::equal(a, b); }
};

/// Product of the dimensions; empty on overflow of 64 bits.
[[nodiscard]] std::optional<std::uint64_t> element_count(std::span<const std::uint64_t> shape);
/// Bytes of a dense tensor; empty on overflow or when the bits are not whole bytes.
[[nodiscard]] std::optional<std::uint64_t> byte_count(Dtype dtype,
                                                      std::span<const std::uint64_t> shape);

/// A tensor in memory that somebody else owns; row-major, little endian, maybe unaligned.
struct TensorView {
  Dtype dtype = Dtype::u8;
  std::span<const std::uint64_t> shape;
  std::span<const std::byte> bytes;
};

}  // namespace ckpt
