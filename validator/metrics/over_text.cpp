#include "validator/metrics/over_text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ckpt::metrics {
namespace {

constexpr std::uint64_t kContext = 24;  // tokens shown before a position
constexpr std::size_t kPoints = 1000;   // of the curves
constexpr int kFirstDecade = -7;
constexpr int kLastDecade = 2;
constexpr int kBinsPerDecade = 5;

/// The curve and the largest value of each run of positions; what is not finite is left out.
void add_curves(std::span<const double> kl, results::OverText& o) {
  o.stride = std::max<std::uint64_t>(1, (kl.size() + kPoints - 1) / kPoints);
  for (std::size_t begin = 0; begin < kl.size(); begin += o.stride) {
    double sum = 0;
    double worst = std::numeric_limits<double>::quiet_NaN();
    std::size_t n = 0;
    for (const double v : kl.subspan(begin, std::min<std::size_t>(o.stride, kl.size() - begin))) {
      if (!std::isfinite(v)) continue;
      sum += v;
      if (!(v <= worst)) worst = v;
      ++n;
    }
    o.mean.push_back(n == 0 ? worst : sum / static_cast<double>(n));
    o.worst.push_back(worst);
  }
}

/// Bins of equal width in the logarithm, the same for every run, so that runs can be laid over each
/// other.
void add_histogram(std::span<const double> kl, results::OverText& o) {
  for (int i = 0; i <= (kLastDecade - kFirstDecade) * kBinsPerDecade; ++i) {
    o.bin_edges.push_back(std::pow(10.0, kFirstDecade + static_cast<double>(i) / kBinsPerDecade));
  }
  o.bin_counts.assign(o.bin_edges.size() - 1, 0);
  for (const double v : kl) {
    if (!std::isfinite(v)) continue;
    const auto above = std::upper_bound(o.bin_edges.begin(), o.bin_edges.end(), v);
    const auto bin = std::max<std::ptrdiff_t>(0, above - o.bin_edges.begin() - 1);
    ++o.bin_counts[std::min(static_cast<std::size_t>(bin), o.bin_counts.size() - 1)];
  }
}

/// The likeliest tokens with the logarithms of their probabilities.
std::vector<results::TokenChance> chances(const TopTokens& top, double lse) {
  std::vector<results::TokenChance> out;
  for (std::size_t i = 0; i < kTopTokens && top.id[i] >= 0; ++i) {
    out.push_back({top.id[i], "", double{top.logit[i]} - lse});
  }
  return out;
}

results::WorstPosition position_of(const Record& record, std::uint64_t index,
                                   std::span<const double> kl) {
  results::WorstPosition w;
  w.position = index;
  while (w.sequence + 1 < record.lengths.size() && w.position >= record.lengths[w.sequence]) {
    w.position -= record.lengths[w.sequence++];
  }
  const kernels::Divergence& d = record.positions[index];
  w.kl = d.kl;
  w.reference_id = d.argmax_reference;
  w.candidate_id = d.argmax_candidate;
  w.reference_p = std::exp(double{d.max_reference} - d.lse_reference);
  w.candidate_p = std::exp(double{d.max_candidate} - d.lse_candidate);
  const auto top = std::ranges::find(record.tops, index, &TopPair::index);
  if (top != record.tops.end()) {
    w.reference_top = chances(top->reference, d.lse_reference);
    w.candidate_top = chances(top->candidate, d.lse_candidate);
  }
  const std::uint64_t before = std::min(kContext - 1, w.position);
  for (std::uint64_t i = index - before; i <= index; ++i) w.context.push_back({"", kl[i]});
  return w;
}

}  // namespace

results::OverText over_text_of(const Record& record, std::span<const double> kl) {
  results::OverText o;
  add_curves(kl, o);
  add_histogram(kl, o);
  std::vector<std::uint64_t> worst(record.positions.size());
  std::iota(worst.begin(), worst.end(), std::uint64_t{0});
  keep_worst(worst, record.positions);
  for (const std::uint64_t index : worst) o.positions.push_back(position_of(record, index, kl));
  return o;
}

}  // namespace ckpt::metrics
