#include "validator/weights/summary.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ckpt::weights {

namespace {

/// Calls `visit(values)` for blocks of rows, decoded.
template <class Visit>
Result<void> each_block(const Parameter& p, const Visit& visit) {
  const std::uint64_t width = std::max<std::uint64_t>(1, p.row_size());
  const std::uint64_t step = std::max<std::uint64_t>(1, (1U << 18) / width);
  std::vector<float> block;
  for (std::uint64_t row = 0; row < p.rows(); row += step) {
    const std::uint64_t end = std::min(p.rows(), row + step);
    block.resize((end - row) * p.row_size());
    CKPT_TRY_VOID(p.decode(row, end, block), "summary");
    visit(block);
  }
  return {};
}

}  // namespace

Result<WeightSummary> summarize(const Parameter& weight) {
  WeightSummary s;
  double sum = 0, squares = 0;
  CKPT_TRY_VOID(each_block(weight,
                           [&](const std::vector<float>& block) {
                             for (const float v : block) {
                               const double x = v;
                               ++s.elements;
                               s.nan += std::isnan(x) ? 1U : 0U;
                               s.inf += std::isinf(x) ? 1U : 0U;
                               if (!std::isfinite(x)) continue;
                               s.zeros += x == 0 ? 1U : 0U;
                               s.min = std::min(s.min, x);
                               s.max = std::max(s.max, x);
                               sum += x;
                               squares += x * x;
                             }
                           }),
                "summary");
  const auto finite = static_cast<double>(s.elements - s.nan - s.inf);
  if (finite == 0) return s;
  s.mean = sum / finite;
  s.deviation = std::sqrt(std::max(0.0, squares / finite - s.mean * s.mean));
  s.limit = std::max(std::abs(s.min), std::abs(s.max));
  const double bins = WeightSummary::kBins;
  CKPT_TRY_VOID(each_block(weight,
                           [&](const std::vector<float>& block) {
                             for (const float v : block) {
                               if (!std::isfinite(v)) continue;
                               const double at =
                                   s.limit == 0 ? bins / 2 : (double{v} / s.limit + 1) / 2 * bins;
                               const auto bin = static_cast<std::size_t>(std::max(0.0, at));
                               ++s.histogram[std::min(bin, WeightSummary::kBins - 1)];
                             }
                           }),
                "summary");
  return s;
}

}  // namespace ckpt::weights
