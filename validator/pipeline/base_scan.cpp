#include "validator/pipeline/base_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "validator/base/bits.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/pipeline/counterpart.h"
#include "validator/weights/model.h"

namespace ckpt::pipeline {
namespace {

using arch::Module;
using arch::ModuleClass;
using rules::BaseFact;
using weights::Parameter;

constexpr std::uint64_t kChunkElements = 1U << 20;
/// Half a step, and what rounding of the scale to F16 or BF16 adds at eight steps from zero.
constexpr double kHalfStep = 0.5 + 8.0 / 256;

/// Sums over the elements of one module.
class BaseComparison {
 public:
  BaseComparison(BaseFact& fact, Dtype dtype, bool norm)
      : fact_(fact), dtype_(dtype), trip_(norm) {}

  void plain(float mine, float theirs) {
    common(mine, theirs);
    cast_ = cast_ && same(mine, rounded_to(theirs, dtype_));
    trip_ = trip_ && same(mine, offset_norm_round_trip(theirs));
    fact_.overflowed += std::isinf(mine) && std::isfinite(theirs) ? 1U : 0U;
    fact_.flushed += mine == 0 && theirs != 0 ? 1U : 0U;
  }

  /// `low` and `high`: smallest and largest value of the element's group.
  void packed(float mine, float theirs, float step, float low, float high) {
    common(mine, theirs);
    const double off = std::abs(static_cast<double>(mine) - static_cast<double>(theirs));
    const auto s = static_cast<double>(step);
    if (!(off <= 1.05 * s)) ++fact_.beyond;
    if (mine > low && mine < high && !(off <= kHalfStep * s)) ++fact_.off_nearest;
  }

  void finish() {
    fact_.equal = equal_;
    fact_.cast = cast_ && !fact_.packed;
    fact_.round_trip = trip_ && !equal_ && !cast_;
    fact_.error = norm_ > 0         ? std::sqrt(difference_ / norm_)
                  : difference_ > 0 ? std::numeric_limits<double>::infinity()
                                    : 0;
  }

 private:
  BaseFact& fact_;
  Dtype dtype_;
  bool equal_ = true;
  bool cast_ = true;
  bool trip_;
  double difference_ = 0;
  double norm_ = 0;

  static bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

  void common(float mine, float theirs) {
    ++fact_.elements;
    equal_ = equal_ && same(mine, theirs);
    const double d = static_cast<double>(mine) - static_cast<double>(theirs);
    difference_ += d * d;
    norm_ += static_cast<double>(theirs) * static_cast<double>(theirs);
  }
};

/// |scale| of every group of rows [begin, end), row after row. Empty when there is no step: floats
/// of few bits, and groups that cannot be followed because of a stored activation order.
std::vector<float> steps_of(const Parameter& p, std::uint64_t begin, std::uint64_t end) {
  const quant::Layout& l = p.layout;
  const bool integers = l.element == quant::Element::code || l.element == quant::Element::i8;
  const bool known =
      l.scale_dtype == Dtype::f16 || l.scale_dtype == Dtype::bf16 || l.scale_dtype == Dtype::f32;
  const std::uint64_t width = dtype_bits(l.scale_dtype) / 8;
  const std::uint64_t scale_rows = l.scale_rows();
  if (!integers || !known || !p.g_idx.empty() || p.scales.size() < scale_rows * l.groups * width) {
    return {};
  }
  std::vector<float> out;
  out.reserve((end - begin) * l.groups);
  for (std::uint64_t n = begin; n < end; ++n) {
    for (std::uint64_t g = 0; g < l.groups; ++g) {
      const std::uint64_t row = n / l.rows_per_scale;
      const std::uint64_t at = l.scales_row_is_out ? row * l.groups + g : g * scale_rows + row;
      const std::byte* from = p.scales.data() + at * width;
      const float s = l.scale_dtype == Dtype::f32   ? load<float>(from)
                      : l.scale_dtype == Dtype::f16 ? f16_to_f32(load<std::uint16_t>(from))
                                                    : bf16_to_f32(load<std::uint16_t>(from));
      out.push_back(std::abs(s));
    }
  }
  return out;
}

class Scanner {
 public:
  explicit Scanner(const BaseScanArgs& args)
      : a_(args),
        mine_(args.candidate.checkpoint, args.candidate.config, *args.candidate.blueprint,
              args.candidate.stored),
        theirs_(args.base.checkpoint, args.base.config, *args.base.blueprint, args.base.stored) {
    const auto& modules = theirs_.blueprint().modules();
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
      by_tail_[name_tail(theirs_.blueprint(), modules[i])] = i;
    }
    // A pruned checkpoint numbers its experts anew.
    same_experts_ = a_.candidate.config.text.num_experts == a_.base.config.text.num_experts;
  }

  struct Pair {
    std::uint32_t mine = 0;
    std::uint32_t theirs = 0;
  };

  std::vector<Pair> pairs(std::uint64_t& left_out) const;
  Result<BaseFact> compare(const Pair& pair) const;

 private:
  Result<void> rows(const Pair& pair, BaseFact& fact, BaseComparison& sums) const;
  void packed_rows(const Parameter& p, std::uint64_t begin, std::uint64_t end,
                   std::span<const float> mine, std::span<const float> theirs,
                   BaseComparison& sums) const;
  std::int32_t holder(const Pair& pair) const;

  const BaseScanArgs& a_;
  weights::Model mine_;
  weights::Model theirs_;
  std::map<std::string_view, std::uint32_t> by_tail_;
  bool same_experts_ = true;
};

std::vector<Scanner::Pair> Scanner::pairs(std::uint64_t& left_out) const {
  std::vector<Pair> out;
  const auto& modules = mine_.blueprint().modules();
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    if (a_.candidate.stored.modules[i].format == quant::Format::absent) continue;
    const Module& m = modules[i];
    const auto there = by_tail_.find(name_tail(mine_.blueprint(), m));
    const bool expert = m.expert >= 0 || m.cls == ModuleClass::router;
    const bool comparable = there != by_tail_.end() && (same_experts_ || !expert) &&
                            theirs_.blueprint().modules()[there->second].shape == m.shape &&
                            mine_.check(i) && theirs_.check(there->second);
    if (comparable) {
      out.push_back({i, there->second});
    } else {
      ++left_out;
    }
  }
  return out;
}

void Scanner::packed_rows(const Parameter& p, std::uint64_t begin, std::uint64_t end,
                          std::span<const float> mine, std::span<const float> theirs,
                          BaseComparison& sums) const {
  const quant::Layout& l = p.layout;
  const std::vector<float> steps = steps_of(p, begin, end);
  const std::uint64_t group = std::max<std::uint64_t>(l.group_size, 1);
  for (std::uint64_t row = 0; row < end - begin; ++row) {
    for (std::uint64_t k = 0; k < l.k; k += group) {
      const std::uint64_t n = std::min(group, l.k - k);
      const std::span<const float> part = mine.subspan(row * l.k + k, n);
      const auto [low, high] = std::ranges::minmax(part);
      const float step = steps.empty() ? std::numeric_limits<float>::infinity()
                                       : steps[row * l.groups + k / group];
      for (std::uint64_t i = 0; i < n; ++i) {
        sums.packed(part[i], theirs[row * l.k + k + i], step, low, high);
      }
    }
  }
}

Result<void> Scanner::rows(const Pair& pair, BaseFact& fact, BaseComparison& sums) const {
  const Module& m = mine_.blueprint().modules()[pair.mine];
  const std::uint64_t all = m.shape.empty() ? 1 : m.shape[0];
  std::uint64_t width = 1;
  for (std::size_t d = 1; d < m.shape.size(); ++d) width *= m.shape[d];
  const std::uint64_t step =
      std::max<std::uint64_t>(kChunkElements / std::max<std::uint64_t>(width, 1), 1);
  std::optional<Parameter> whole;  // packed tensors are small and cannot be cut by rows
  if (fact.packed) {
    CKPT_TRY(whole, mine_.load(pair.mine), "module");
  }
  std::optional<Parameter> base_whole;
  if (!theirs_.is_plain(pair.theirs)) {
    CKPT_TRY(base_whole, theirs_.load(pair.theirs), "module of the base");
  }
  std::vector<float> x;
  std::vector<float> y;
  const auto decoded = [](const std::optional<Parameter>& kept, const weights::Model& model,
                          std::uint32_t module, std::uint64_t begin, std::uint64_t end,
                          std::vector<float>& out) -> Result<void> {
    if (kept) return kept->decode(begin, end, out);
    CKPT_TRY(const Parameter part, model.load_rows(module, begin, end), "rows");
    return part.decode(0, end - begin, out);
  };
  for (std::uint64_t begin = 0; begin < all; begin += step) {
    if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
    const std::uint64_t end = std::min(all, begin + step);
    x.resize((end - begin) * width);
    y.resize(x.size());
    CKPT_TRY_VOID(decoded(whole, mine_, pair.mine, begin, end, x), "module");
    CKPT_TRY_VOID(decoded(base_whole, theirs_, pair.theirs, begin, end, y), "module of the base");
    if (whole) {
      packed_rows(*whole, begin, end, x, y, sums);
    } else {
      for (std::size_t i = 0; i < x.size(); ++i) sums.plain(x[i], y[i]);
    }
  }
  return {};
}

/// The part of the same expert, or the expert of the same layer, whose values these are.
std::int32_t Scanner::holder(const Pair& pair) const {
  const Module& m = mine_.blueprint().modules()[pair.mine];
  if (m.expert < 0) return -1;
  const auto& modules = theirs_.blueprint().modules();
  const auto mine = mine_.load(pair.mine);
  const auto x = mine ? mine->decode_all() : tl::make_unexpected(mine.error());
  if (!x) return -1;
  // The whole layer is near: first the siblings within the expert.
  std::vector<std::uint32_t> tried;
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    const Module& t = modules[i];
    if (t.layer == m.layer && t.cls == m.cls && t.expert >= 0 && t.shape == m.shape &&
        i != pair.theirs) {
      tried.push_back(i);
    }
  }
  std::stable_partition(tried.begin(), tried.end(),
                        [&](std::uint32_t i) { return modules[i].expert == m.expert; });
  for (const std::uint32_t i : tried) {
    const auto other = theirs_.load(i);
    const auto y = other ? other->decode_all() : tl::make_unexpected(other.error());
    if (!y || y->size() != x->size()) continue;
    double difference = 0;
    double norm = 0;
    for (std::size_t e = 0; e < x->size(); ++e) {
      const double d = static_cast<double>((*x)[e]) - static_cast<double>((*y)[e]);
      difference += d * d;
      norm += static_cast<double>((*y)[e]) * static_cast<double>((*y)[e]);
    }
    if (norm > 0 && std::sqrt(difference / norm) < kOtherWeight)
      return static_cast<std::int32_t>(i);
  }
  return -1;
}

Result<BaseFact> Scanner::compare(const Pair& pair) const {
  const Module& m = mine_.blueprint().modules()[pair.mine];
  const quant::Stored& s = a_.candidate.stored.modules[pair.mine];
  BaseFact fact{.module = pair.mine, .packed = quant::is_quantized(s.format)};
  const std::int32_t t = s.at(quant::Member::weight);
  const Dtype dtype =
      t >= 0 ? a_.candidate.checkpoint.tensors()[static_cast<std::size_t>(t)].dtype : Dtype::f32;
  BaseComparison sums(fact, dtype, m.cls == ModuleClass::norm || m.name.ends_with("norm"));
  CKPT_TRY_VOID(rows(pair, fact, sums), m.name);
  sums.finish();
  if (!(fact.error <= kOtherWeight)) fact.holds = holder(pair);
  return fact;
}

/// Entries of the base's vocabulary that are missing or have another id here.
void compare_vocabulary(const BaseScanArgs& a, rules::BaseFacts& out) {
  const auto mine = a.candidate.repo.read_json("tokenizer.json", limits::kLargeJsonBytes);
  const auto theirs = a.base.repo.read_json("tokenizer.json", limits::kLargeJsonBytes);
  if (!mine || !theirs) return;
  std::map<std::string_view, std::int64_t> have;
  (*mine)->root().find("model").find("vocab").each_member(
      [&have](const json::Member& m) { have[m.name] = m.value.integer().value_or(-1); });
  (*theirs)->root().find("model").find("vocab").each_member([&](const json::Member& m) {
    const auto it = have.find(m.name);
    if (it != have.end() && it->second == m.value.integer().value_or(-1)) return;
    if (out.vocabulary_differs++ == 0) out.vocabulary_first = shown(m.name, 40);
  });
}

}  // namespace

Result<rules::BaseFacts> scan_base(const BaseScanArgs& args, std::uint64_t& left_out) {
  for (const OpenedRepo* o : {&args.candidate, &args.base}) {
    if (!o->blueprint) {
      return fail(ErrorKind::unsupported,
                  fmt::format("{}: no architecture known here", shown(o->repo.input())));
    }
  }
  const Scanner scanner(args);
  const std::vector<Scanner::Pair> pairs = scanner.pairs(left_out);
  if (pairs.empty()) {
    return fail(ErrorKind::unsupported, fmt::format("{} has no module that could be compared",
                                                    shown(args.base.repo.input())));
  }
  rules::BaseFacts out;
  compare_vocabulary(args, out);
  // Batches bound what an interrupt waits for and let the one progress caller be this thread.
  constexpr std::size_t kBatch = 64;
  for (std::size_t begin = 0; begin < pairs.size(); begin += kBatch) {
    const std::size_t n = std::min(kBatch, pairs.size() - begin);
    std::vector<Result<BaseFact>> done(n);
    args.pool.parallel_for(n, [&](std::size_t i) { done[i] = scanner.compare(pairs[begin + i]); });
    for (Result<BaseFact>& f : done) {
      if (!f) return tl::make_unexpected(f.error());
      out.facts.push_back(*f);
    }
    args.progress.update("base", begin + n, pairs.size(), 0);
  }
  return out;
}

}  // namespace ckpt::pipeline
