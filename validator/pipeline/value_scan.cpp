#include "validator/pipeline/value_scan.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "validator/base/bits.h"

namespace ckpt::pipeline {
namespace {

constexpr std::uint64_t kChunkBytes = 4ULL << 20;

using container::Tensor;
using rules::ValueFact;

bool is_scale_name(std::string_view name) {
  return name.ends_with("scales") || name.ends_with("_scale") || name.ends_with("_scale_inv");
}

bool scanned(const Tensor& t) {
  return t.dtype == Dtype::f16 || t.dtype == Dtype::bf16 || t.dtype == Dtype::f32 ||
         t.dtype == Dtype::f8_e4m3 || t.name.ends_with(".g_idx");
}

enum class Class : std::uint8_t { ordinary, zero, nan, inf };

template <class Bits, Bits kExponent, Bits kMantissa>
Class classify(Bits bits) {
  const auto magnitude = static_cast<Bits>(bits & static_cast<Bits>(kExponent | kMantissa));
  if (magnitude == 0) return Class::zero;
  if ((magnitude & kExponent) != kExponent) return Class::ordinary;
  return (magnitude & kMantissa) != 0 ? Class::nan : Class::inf;
}

void note(ValueFact& fact, Class c, std::uint64_t index) {
  if (c == Class::ordinary) return;
  if (c == Class::zero) {
    if (fact.zero++ == 0) fact.first_zero = index;
    return;
  }
  if (fact.nan + fact.inf == 0) fact.first_bad = index;
  ++(c == Class::nan ? fact.nan : fact.inf);
}

template <class Bits, Bits kExponent, Bits kMantissa>
void scan(std::span<const std::byte> bytes, std::uint64_t first, ValueFact& fact) {
  const std::uint64_t n = bytes.size() / sizeof(Bits);
  for (std::uint64_t i = 0; i < n; ++i) {
    note(fact, classify<Bits, kExponent, kMantissa>(load<Bits>(bytes.data() + i * sizeof(Bits))),
         first + i);
  }
}

void scan_float(Dtype dtype, std::span<const std::byte> bytes, std::uint64_t first,
                ValueFact& fact) {
  switch (dtype) {
    case Dtype::f16:
      return scan<std::uint16_t, 0x7C00, 0x03FF>(bytes, first, fact);
    case Dtype::bf16:
      return scan<std::uint16_t, 0x7F80, 0x007F>(bytes, first, fact);
    case Dtype::f32:
      return scan<std::uint32_t, 0x7F800000, 0x007FFFFF>(bytes, first, fact);
    default:  // E4M3 has no infinity: all ones is NaN
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto b = static_cast<unsigned>(bytes[i]) & 0x7FU;
        note(fact, b == 0x7F ? Class::nan : b == 0 ? Class::zero : Class::ordinary, first + i);
      }
  }
}

/// The module a g_idx belongs to gives its group size; without one nothing can be said.
void scan_g_idx(const OpenedRepo& o, const Tensor& t, std::span<const std::byte> bytes,
                std::uint64_t first, ValueFact& fact) {
  if (t.dtype != Dtype::i32 || !o.blueprint) return;
  const arch::Placement p = o.blueprint->locate(t.name);
  if (p.module < 0) return;
  const quant::Stored& s = o.stored.modules[static_cast<std::size_t>(p.module)];
  const Shape& shape = o.blueprint->modules()[static_cast<std::size_t>(p.module)].shape;
  if (s.groups == 0 || shape.size() != 2) return;
  const std::uint64_t group =
      s.group_size > 0 ? static_cast<std::uint64_t>(s.group_size) : shape[1];
  for (std::uint64_t i = 0; i < bytes.size() / 4; ++i) {
    const auto g = load<std::int32_t>(bytes.data() + 4 * i);
    if (g == -1) continue;  // compressed-tensors: unused
    if (g < 0 || static_cast<std::uint64_t>(g) >= s.groups) {
      fact.g_idx_out_of_range = true;
    } else if (static_cast<std::uint64_t>(g) != (first + i) / group) {
      fact.nontrivial_g_idx = true;
    }
  }
}

Result<ValueFact> scan_tensor(const OpenedRepo& o, std::uint32_t index,
                              std::atomic<std::uint64_t>& read, const std::stop_token& stop) {
  const Tensor& t = o.checkpoint.tensors()[index];
  ValueFact fact;
  fact.tensor = index;
  const std::uint64_t width = dtype_bits(t.dtype) / 8;
  fact.elements = t.bytes() / width;
  std::vector<std::byte> buffer(std::min(t.bytes(), kChunkBytes));
  for (std::uint64_t at = 0; at < t.bytes(); at += kChunkBytes) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
    const std::span chunk = std::span(buffer).first(std::min(kChunkBytes, t.bytes() - at));
    CKPT_TRY_VOID(o.checkpoint.read(t, at, chunk), "values");
    if (t.name.ends_with(".g_idx")) {
      scan_g_idx(o, t, chunk, at / width, fact);
    } else {
      scan_float(t.dtype, chunk, at / width, fact);
    }
    read += chunk.size();
  }
  return fact;
}

bool worth_telling(const OpenedRepo& o, const ValueFact& f) {
  const bool zero_scale = f.zero != 0 && is_scale_name(o.checkpoint.tensors()[f.tensor].name);
  return f.nan + f.inf != 0 || zero_scale || f.nontrivial_g_idx || f.g_idx_out_of_range;
}

}  // namespace

std::uint64_t scan_bytes(const OpenedRepo& opened) {
  std::uint64_t bytes = 0;
  for (const Tensor& t : opened.checkpoint.tensors()) bytes += scanned(t) ? t.bytes() : 0;
  return bytes;
}

Result<rules::ValueFacts> scan_values(const OpenedRepo& opened, ThreadPool& pool,
                                      Progress& progress, std::stop_token stop) {
  const auto& tensors = opened.checkpoint.tensors();
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    if (scanned(tensors[i])) wanted.push_back(i);
  }
  rules::ValueFacts out;
  std::atomic<std::uint64_t> read = 0;
  // Batches bound what an interrupt waits for and let the one progress caller be this thread.
  constexpr std::size_t kBatch = 64;
  for (std::size_t begin = 0; begin < wanted.size(); begin += kBatch) {
    const std::size_t n = std::min(kBatch, wanted.size() - begin);
    std::vector<Result<ValueFact>> found(n, ValueFact{});
    pool.parallel_for(
        n, [&](std::size_t i) { found[i] = scan_tensor(opened, wanted[begin + i], read, stop); });
    for (const Result<ValueFact>& f : found) {
      if (!f) return tl::make_unexpected(f.error());
      if (worth_telling(opened, *f)) out.facts.push_back(*f);
    }
    progress.update("values", begin + n, wanted.size(), read);
  }
  return out;
}

}  // namespace ckpt::pipeline
