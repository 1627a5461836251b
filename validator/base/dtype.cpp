#include "validator/base/dtype.h"

#include <array>

namespace ckpt {
namespace {

struct Row {
  Dtype dtype;
  std::string_view name;
  unsigned bits;
  bool floating;
};

constexpr std::array kRows = {
    Row{Dtype::boolean, "BOOL", 8, false},
    Row{Dtype::f4, "F4", 4, true},
    Row{Dtype::f6_e2m3, "F6_E2M3", 6, true},
    Row{Dtype::f6_e3m2, "F6_E3M2", 6, true},
    Row{Dtype::u8, "U8", 8, false},
    Row{Dtype::i8, "I8", 8, false},
    Row{Dtype::f8_e5m2, "F8_E5M2", 8, true},
    Row{Dtype::f8_e4m3, "F8_E4M3", 8, true},
    Row{Dtype::f8_e8m0, "F8_E8M0", 8, true},
    Row{Dtype::f8_e4m3fnuz, "F8_E4M3FNUZ", 8, true},
    Row{Dtype::f8_e5m2fnuz, "F8_E5M2FNUZ", 8, true},
    Row{Dtype::i16, "I16", 16, false},
    Row{Dtype::u16, "U16", 16, false},
    Row{Dtype::f16, "F16", 16, true},
    Row{Dtype::bf16, "BF16", 16, true},
    Row{Dtype::i32, "I32", 32, false},
    Row{Dtype::u32, "U32", 32, false},
    Row{Dtype::f32, "F32", 32, true},
    Row{Dtype::c64, "C64", 64, true},
    Row{Dtype::f64, "F64", 64, true},
    Row{Dtype::i64, "I64", 64, false},
    Row{Dtype::u64, "U64", 64, false},
};

const Row& row(Dtype dtype) {
  return kRows[static_cast<std::size_t>(dtype)];
}

}  // namespace

std::string_view dtype_name(Dtype dtype) {
  return row(dtype).name;
}

std::optional<Dtype> parse_dtype(std::string_view name) {
  for (const Row& r : kRows) {
    if (r.name == name) return r.dtype;
  }
  return std::nullopt;
}

unsigned dtype_bits(Dtype dtype) {
  return row(dtype).bits;
}

bool is_float(Dtype dtype) {
  return row(dtype).floating;
}

std::optional<std::uint64_t> element_count(std::span<const std::uint64_t> shape) {
  std::uint64_t count = 1;
  bool zero = false;
  bool overflow = false;
  for (const std::uint64_t d : shape) {
    zero = zero || d == 0;
    overflow = overflow || __builtin_mul_overflow(count, d, &count);
  }
  // A zero dimension makes the count 0 whatever stands beside it (dimensions above 2^53 are legal).
  if (zero) return 0;
  if (overflow) return std::nullopt;
  return count;
}

std::optional<std::uint64_t> byte_count(Dtype dtype, std::span<const std::uint64_t> shape) {
  const auto count = element_count(shape);
  if (!count) return std::nullopt;
  std::uint64_t bits = 0;
  if (__builtin_mul_overflow(*count, static_cast<std::uint64_t>(dtype_bits(dtype)), &bits)) {
    return std::nullopt;
  }
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

}  // namespace ckpt
