#include "gui/state/census.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace ckpt::gui {
namespace {

constexpr std::size_t kBins = 1U << 16;

void add_special(Census& c, float x, const Cell& at) {
  if (std::isnan(x))
    ++c.nan;
  else
    ++(x > 0 ? c.plus_inf : c.minus_inf);
  if (c.specials.size() < Census::kSpecials) c.specials.push_back(at);
}

void add_row(Census& c, std::span<const float> row, std::uint64_t number) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float x = row[i];
    if (!std::isfinite(x)) {
      add_special(c, x, {number, i});
      continue;
    }
    ++c.bins[std::bit_cast<std::uint32_t>(x) >> 16];
    if (x == 0) ++c.zero;
    c.sum += double{x};
    c.square_sum += double{x} * double{x};
    if (c.low > c.high || std::abs(x) > std::max(std::abs(c.low), std::abs(c.high))) {
      c.largest = {number, i};
    }
    c.low = std::min(c.low, x);
    c.high = std::max(c.high, x);
  }
}

}  // namespace

double Census::mean() const {
  return finite() == 0 ? 0 : sum / static_cast<double>(finite());
}

double Census::rms() const {
  return finite() == 0 ? 0 : std::sqrt(square_sum / static_cast<double>(finite()));
}

float Census::quantile_of_magnitude(double q) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(finite())));
  std::uint64_t seen = 0;
  for (std::uint32_t magnitude = 0; magnitude < kBins / 2; ++magnitude) {
    seen += bins[magnitude] + bins[magnitude + kBins / 2];
    if (seen < wanted || seen == 0) continue;
    const float upper = std::bit_cast<float>((magnitude + 1) << 16);
    return std::min(upper, std::max(std::abs(low), std::abs(high)));
  }
  return 0;
}

std::vector<double> Census::histogram(float from, float to, std::size_t n) const {
  std::vector<double> out(n, 0);
  if (!(to > from) || n == 0) return out;
  const double width = (double{to} - double{from}) / static_cast<double>(n);
  for (std::uint32_t b = 0; b < bins.size(); ++b) {
    if (bins[b] == 0) continue;
    // The edge nearer to zero stands for the bin: it is 0 itself and every bf16 value exactly.
    const double at = std::bit_cast<float>(b << 16);
    if (!std::isfinite(at) || at < double{from} || at > double{to}) continue;
    const auto i = std::min(static_cast<std::size_t>((at - double{from}) / width), n - 1);
    out[i] += static_cast<double>(bins[b]);
  }
  return out;
}

Result<Census> take_census(const Matrix& matrix, std::stop_token stop, std::uint64_t row_step,
                           const std::function<void(std::uint64_t)>& progress) {
  Census c;
  c.bins.assign(kBins, 0);
  c.sampled = row_step > 1;
  c.low = std::numeric_limits<float>::infinity();
  c.high = -c.low;
  const std::uint64_t step = row_step > 1 ? 1 : matrix.rows_at_a_time(matrix.columns());
  std::vector<float> values;
  for (std::uint64_t r = 0; r < matrix.rows(); r += std::max(step, row_step)) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const std::uint64_t end = std::min(r + step, matrix.rows());
    values.resize((end - r) * matrix.columns());
    CKPT_TRY_VOID(matrix.read({r, end, 0, matrix.columns()}, values), "values");
    for (std::uint64_t i = r; i < end; ++i) {
      add_row(c, std::span(values).subspan((i - r) * matrix.columns(), matrix.columns()), i);
    }
    c.count += values.size();
    if (progress) progress(end);
  }
  if (c.finite() == 0) c.low = c.high = 0;
  return c;
}

}  // namespace ckpt::gui
