#include "validator/metrics/compare.h"

#include <algorithm>

#include "validator/metrics/distribution.h"

namespace ckpt::metrics {

std::vector<results::Ranked> rank(std::span<const Contender> contenders,
                                  std::span<const std::uint64_t> lengths, std::uint64_t seed) {
  std::vector<std::pair<results::Ranked, std::span<const double>>> rows;
  for (const Contender& c : contenders) {
    const results::Distribution d = summarize(c.kl, lengths, seed);
    results::Ranked r;
    r.target = c.target;
    r.bytes = c.bytes;
    r.kl = d.mean;
    r.ci95 = d.ci95;
    rows.emplace_back(std::move(r), c.kl);
  }
  // What is not a number is worse than any number.
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) {
    return a.first.kl < b.first.kl || (a.first.kl == a.first.kl && b.first.kl != b.first.kl);
  });
  std::vector<results::Ranked> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) {
      std::vector<double> gap(rows[i].second.size());
      std::ranges::transform(rows[i].second, rows[i - 1].second, gap.begin(), std::minus<>());
      const results::Distribution d = summarize(gap, lengths, seed);
      rows[i].first.gap = d.mean;
      rows[i].first.gap_ci95 = d.ci95;
      rows[i].first.apart = d.ci95[0] > 0;
    }
    out.push_back(std::move(rows[i].first));
  }
  return out;
}

}  // namespace ckpt::metrics
