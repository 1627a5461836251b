#include "validator/pipeline/value_scan.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <vector>

#include "validator/base/bits.h"
#include "validator/pipeline/value_codes.h"
#include "validator/rules/places.h"

namespace ckpt::pipeline {
namespace {

constexpr std::uint64_t kChunkBytes = 4ULL << 20;
constexpr double kWritersClamp = 1.001e-5;  // auto-round never writes a smaller scale
constexpr double kF16SmallestNormal = 0x1p-14;

using arch::ModuleClass;
using container::Tensor;
using quant::Member;
using rules::ValueFact;

/// What a tensor is to the scan.
struct Role {
  std::int32_t module = -1;
  std::optional<Member> member;
  std::uint64_t slices = 1;  ///< experts stacked in the tensor
};

/// The role of every tensor of the checkpoint; a tensor that several modules share belongs to the
/// first of them.
std::vector<Role> roles_of(const OpenedRepo& o) {
  std::vector<Role> roles(o.checkpoint.tensors().size());
  for (std::size_t m = 0; m < o.stored.modules.size(); ++m) {
    const quant::Stored& s = o.stored.modules[m];
    for (std::size_t k = 0; k < quant::kMembers; ++k) {
      if (s.tensor[k] < 0) continue;
      Role& role = roles[static_cast<std::size_t>(s.tensor[k])];
      if (role.module >= 0) continue;
      role = {static_cast<std::int32_t>(m), static_cast<Member>(k), 1};
      const auto& shape = o.checkpoint.tensors()[static_cast<std::size_t>(s.tensor[k])].shape;
      if (s.spelling == arch::Spelling::stacked && !shape.empty()) role.slices = shape[0];
    }
  }
  return roles;
}

bool is_packed(const Tensor& t, const Role& role) {
  return t.dtype == Dtype::i32 &&
         (role.member == Member::qweight || role.member == Member::weight_packed ||
          role.member == Member::qzeros);
}

bool scanned(const Tensor& t, const Role& role) {
  return t.dtype == Dtype::f16 || t.dtype == Dtype::bf16 || t.dtype == Dtype::f32 ||
         t.dtype == Dtype::f8_e4m3 || t.name.ends_with(".g_idx") || is_packed(t, role) ||
         (role.member == Member::weight_shape && t.dtype == Dtype::i64 && t.bytes() == 16);
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

float element(Dtype dtype, const std::byte* p) {
  switch (dtype) {
    case Dtype::f16:
      return f16_to_f32(load<std::uint16_t>(p));
    case Dtype::bf16:
      return bf16_to_f32(load<std::uint16_t>(p));
    default:
      return load<float>(p);
  }
}

void scan_scales(Dtype dtype, std::span<const std::byte> bytes, ValueFact& fact) {
  const std::size_t width = dtype_bits(dtype) / 8;
  if (width < 2) return;
  const double tiny = dtype == Dtype::f16 ? kF16SmallestNormal : kWritersClamp;
  for (std::size_t at = 0; at + width <= bytes.size(); at += width) {
    const double x = static_cast<double>(element(dtype, bytes.data() + at));
    if (!std::isfinite(x)) continue;
    if (x < 0) ++fact.negative;
    if (x != 0 && std::abs(x) < tiny) ++fact.tiny;
    fact.sum_of_magnitudes += std::abs(x);
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

/// The word in which every code is 2^(bits-1), for widths that divide a byte; else 0.
std::uint32_t middle_word(int bits) {
  switch (bits) {
    case 2:
      return 0xAAAAAAAAU;
    case 4:
      return 0x88888888U;
    case 8:
      return 0x80808080U;
    default:
      return 0;
  }
}

/// The same word less one in each code: how v1 files store the zero point.
std::uint32_t middle_word_v1(int bits) {
  switch (bits) {
    case 2:
      return 0x55555555U;
    case 4:
      return 0x77777777U;
    case 8:
      return 0x7F7F7F7FU;
    default:
      return 0;
  }
}

void scan_zeros(int bits, std::span<const std::byte> bytes, ValueFact& fact) {
  const std::uint32_t v1 = middle_word_v1(bits);
  const std::uint32_t v2 = middle_word(bits);
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    const auto word = load<std::uint32_t>(bytes.data() + i);
    fact.zeros_v1 += word == v1 ? 1 : 0;
    fact.zeros_v2 += word == v2 ? 1 : 0;
  }
}

bool symmetric(const config::QuantConfig& q) {
  return q.sym.value_or(true) && std::ranges::all_of(q.groups, [](const config::ConfigGroup& g) {
           return !g.weights || g.weights->symmetric;
         });
}

/// How the groups of a packed tensor lie, when they can be followed word by word.
GroupLayout group_layout(const OpenedRepo& o, const Tensor& t, const Role& role) {
  GroupLayout layout;
  if (role.member == Member::qzeros || role.slices != 1 || t.shape.size() != 2) return layout;
  const auto module = static_cast<std::size_t>(role.module);
  const quant::Stored& s = o.stored.modules[module];
  const Shape& shape = o.blueprint->modules()[module].shape;
  if (!o.config.quant || !symmetric(*o.config.quant) || s.bits == 0 || shape.size() != 2) {
    return layout;
  }
  const auto bits = static_cast<std::uint64_t>(s.bits);
  const std::uint64_t group =
      s.group_size > 0 ? static_cast<std::uint64_t>(s.group_size) : shape[1];
  layout.zero_word = middle_word(s.bits);
  if (layout.zero_word == 0 || group * bits % 32 != 0 || shape[1] % group != 0) return layout;
  if (s.format == quant::Format::gptq) layout.columns = t.shape[1];
  if (s.format == quant::Format::gptq || s.format == quant::Format::ct_packed) {
    layout.words_per_group = group * bits / 32;
  }
  return layout;
}

/// Tensors that are compared with others: routed experts, and a head beside the embedding that the
/// config says it is tied to (which gives the head no place in the architecture).
bool is_compared(const OpenedRepo& o, const Tensor& t, const Role& role) {
  if (o.config.text.tie_word_embeddings && t.name == "lm_head.weight") return true;
  if (role.module < 0) return false;
  const ModuleClass cls = o.blueprint->modules()[static_cast<std::size_t>(role.module)].cls;
  if (cls == ModuleClass::embedding) return o.config.text.tie_word_embeddings;
  return cls == ModuleClass::routed_expert &&
         (role.member == Member::weight || role.member == Member::qweight ||
          role.member == Member::weight_packed);
}

/// Reads one tensor, chunk by chunk.
class TensorScan {
 public:
  TensorScan(const OpenedRepo& o, std::uint32_t index, const Role& role)
      : o_(o),
        t_(o.checkpoint.tensors()[index]),
        role_(role),
        bits_(role.module < 0 ? 0 : o.stored.modules[static_cast<std::size_t>(role.module)].bits),
        counts_(is_packed(t_, role) && middle_word(bits_) != 0),
        codes_(counts_ ? static_cast<unsigned>(bits_) : 8),
        dead_(counts_ ? group_layout(o, t_, role) : GroupLayout{}),
        hashed_(is_compared(o, t_, role)) {
    fact_.tensor = index;
    fact_.elements = t_.bytes() * 8 / dtype_bits(t_.dtype);
  }

  Result<void> run(std::atomic<std::uint64_t>& read, const std::stop_token& stop) {
    const std::uint64_t slices = t_.bytes() % role_.slices == 0 ? role_.slices : 1;
    const std::uint64_t bytes = t_.bytes() / slices;
    std::vector<std::byte> buffer(std::min(bytes, kChunkBytes));
    for (std::uint64_t slice = 0; slice < slices; ++slice) {
      ContentHasher hasher;
      for (std::uint64_t at = 0; at < bytes; at += kChunkBytes) {
        if (stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
        const std::span chunk = std::span(buffer).first(std::min(kChunkBytes, bytes - at));
        CKPT_TRY_VOID(o_.checkpoint.read(t_, slice * bytes + at, chunk), "values");
        take(chunk, slice * bytes + at);
        if (hashed_) hasher.add(chunk);
        read += chunk.size();
      }
      if (hashed_) {
        contents_.push_back({fact_.tensor, static_cast<std::uint32_t>(slice), hasher.value()});
      }
    }
    if (counts_) {
      codes_.finish(fact_);
      dead_.finish(fact_);
    }
    return {};
  }

  [[nodiscard]] const ValueFact& fact() const { return fact_; }

  [[nodiscard]] const std::vector<rules::ContentHash>& contents() const { return contents_; }

 private:
  const OpenedRepo& o_;
  const Tensor& t_;
  Role role_;
  int bits_;
  bool counts_;
  CodeCounter codes_;
  DeadGroups dead_;
  bool hashed_;
  ValueFact fact_;
  std::vector<rules::ContentHash> contents_;

  void take(std::span<const std::byte> chunk, std::uint64_t at) {
    const std::uint64_t first = at * 8 / dtype_bits(t_.dtype);
    if (t_.name.ends_with(".g_idx")) return scan_g_idx(o_, t_, chunk, first, fact_);
    if (role_.member == Member::weight_shape && t_.dtype == Dtype::i64) {
      fact_.stored_rows = load<std::int64_t>(chunk.data());
      fact_.stored_columns = load<std::int64_t>(chunk.data() + 8);
    } else if (is_packed(t_, role_)) {
      if (!counts_) return;
      codes_.add(chunk);
      dead_.add(chunk);
      if (role_.member == Member::qzeros) scan_zeros(bits_, chunk, fact_);
    } else {
      scan_float(t_.dtype, chunk, first, fact_);
      if (rules::is_scale_name(t_.name)) scan_scales(t_.dtype, chunk, fact_);
    }
  }
};

/// AutoRound's symmetric writers store one constant, 2^(b-1) - 1; another value shifts every
/// weight.
bool odd_zero_points(const OpenedRepo& opened, const ValueFact& fact) {
  const auto& quant = opened.config.quant;
  const bool symmetric =
      quant && quant->method == config::QuantMethod::auto_round && quant->sym.value_or(true);
  return symmetric && opened.checkpoint.tensors()[fact.tensor].name.ends_with(".qzeros") &&
         fact.code_bits == 4 && fact.zeros_v1 != fact.elements;
}

}  // namespace

std::uint64_t scan_bytes(const OpenedRepo& opened) {
  const std::vector<Role> roles = roles_of(opened);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < roles.size(); ++i) {
    const Tensor& t = opened.checkpoint.tensors()[i];
    bytes += scanned(t, roles[i]) ? t.bytes() : 0;
  }
  return bytes;
}

Result<rules::ValueFacts> scan_values(const OpenedRepo& opened, ThreadPool& pool,
                                      Progress& progress, std::stop_token stop) {
  const auto& tensors = opened.checkpoint.tensors();
  const std::vector<Role> roles = roles_of(opened);
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    if (scanned(tensors[i], roles[i])) wanted.push_back(i);
  }
  rules::ValueFacts out;
  out.facts.reserve(wanted.size());
  std::atomic<std::uint64_t> read = 0;
  // Batches bound what an interrupt waits for and let the one progress caller be this thread.
  constexpr std::size_t kBatch = 64;
  for (std::size_t begin = 0; begin < wanted.size(); begin += kBatch) {
    const std::size_t n = std::min(kBatch, wanted.size() - begin);
    std::vector<Result<void>> done(n);
    std::vector<TensorScan> scans;
    scans.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      scans.emplace_back(opened, wanted[begin + i], roles[wanted[begin + i]]);
    }
    pool.parallel_for(n, [&](std::size_t i) { done[i] = scans[i].run(read, stop); });
    for (std::size_t i = 0; i < n; ++i) {
      if (!done[i]) return tl::make_unexpected(done[i].error());
      out.facts.push_back(scans[i].fact());
      std::ranges::copy(scans[i].contents(), std::back_inserter(out.contents));
    }
    progress.update("values", begin + n, wanted.size(), read);
  }
  return out;
}

loaders::LoadValues load_values(const OpenedRepo& opened, const rules::ValueFacts& values) {
  loaders::LoadValues out;
  for (const rules::ValueFact& f : values.facts) {
    const std::string_view name = opened.checkpoint.tensors()[f.tensor].name;
    if (f.nan + f.inf > 0) out.nonfinite.push_back(f.tensor);
    const bool scale = name.ends_with(".scales") || name.ends_with(".weight_scale");
    if ((scale && f.zero > 0) || odd_zero_points(opened, f)) out.odd.push_back(f.tensor);
  }
  std::ranges::sort(out.nonfinite);
  std::ranges::sort(out.odd);
  return out;
}

}  // namespace ckpt::pipeline
