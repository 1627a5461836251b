#include "gui/state/census.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace ckpt::gui {
namespace {

constexpr std::size_t kBins = 1U << 16;
/// Cells of a sample.
constexpr std::uint64_t kSampledCells = 1ULL << 20;
constexpr std::uint64_t kColumnCells = 1ULL << 16;

Census empty_census() {
  Census c;
  c.bins.assign(kBins, 0);
  c.low = std::numeric_limits<float>::infinity();
  c.high = -c.low;
  return c;
}

void add_special(Census& c, float x, const Cell& at) {
  if (std::isnan(x))
    ++c.nan;
  else
    ++(x > 0 ? c.plus_inf : c.minus_inf);
  if (c.specials.size() < Census::kSpecials) c.specials.push_back(at);
}

/// Adds values of which the first stands at `first`, each of the others `step` after the one
/// before.
void add_line(Census& c, std::span<const float> values, const Cell& first, const Cell& step) {
  c.count += values.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float x = values[i];
    const Cell at{first.row + i * step.row, first.column + i * step.column};
    if (!std::isfinite(x)) {
      add_special(c, x, at);
      continue;
    }
    ++c.bins[std::bit_cast<std::uint32_t>(x) >> 16];
    if (x == 0) ++c.zero;
    c.sum += double{x};
    c.square_sum += double{x} * double{x};
    if (c.low > c.high || std::abs(x) > std::max(std::abs(c.low), std::abs(c.high))) {
      c.largest = at;
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

Result<Census> take_census(const Matrix& matrix, std::stop_token stop) {
  Census c = empty_census();
  const std::uint64_t step = matrix.rows_at_a_time(matrix.columns());
  std::vector<float> values;
  for (std::uint64_t r = 0; r < matrix.rows(); r += step) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const std::uint64_t end = std::min(r + step, matrix.rows());
    values.resize((end - r) * matrix.columns());
    CKPT_TRY_VOID(matrix.read({r, end, 0, matrix.columns()}, values), "values");
    for (std::uint64_t i = r; i < end; ++i) {
      add_line(c, std::span(values).subspan((i - r) * matrix.columns(), matrix.columns()), {i, 0},
               {0, 1});
    }
  }
  if (c.finite() == 0) c.low = c.high = 0;
  return c;
}

Result<Census> take_sample(const Matrix& matrix, std::stop_token stop) {
  Census c = empty_census();
  c.sampled = true;
  const bool by_columns = matrix.by_columns();
  const std::uint64_t lines = by_columns ? matrix.columns() : matrix.rows();
  const std::uint64_t length = by_columns ? matrix.rows() : matrix.columns();
  const std::uint64_t n = std::clamp<std::uint64_t>(
      kSampledCells / std::max<std::uint64_t>(length, 1), std::min<std::uint64_t>(lines, 4),
      std::min<std::uint64_t>(lines, 64));
  // What lies in one word with a value is decoded with it: of a long column some values do.
  const std::uint64_t step = by_columns ? std::max<std::uint64_t>(length * n / kColumnCells, 1) : 1;
  std::vector<float> values((length + step - 1) / step);
  for (std::uint64_t i = 0; i < n; ++i) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const std::uint64_t at = i * lines / n;
    const Block block = by_columns ? Block{0, length, at, at + 1} : Block{at, at + 1, 0, length};
    CKPT_TRY_VOID(matrix.read_some(block, step, values), "values");
    add_line(c, values, {block.row, block.column}, by_columns ? Cell{step, 0} : Cell{0, 1});
  }
  if (c.finite() == 0) c.low = c.high = 0;
  return c;
}

}  // namespace ckpt::gui
