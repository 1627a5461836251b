#include "gui/state/census.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace ckpt::gui {
namespace {

constexpr std::size_t kBins = 1U << 16;
/// Cells of a sample.
constexpr std::uint64_t kSampledCells = 1ULL << 18;
constexpr std::uint64_t kColumnCells = 1ULL << 16;
constexpr std::uint64_t kFewestLines = 4;
constexpr std::uint64_t kMostLines = 64;

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

/// Of equal ones the earlier is kept, and stands first.
void add_outlier(Census& c, float magnitude, const Cell& at) {
  const auto place =
      std::ranges::find_if(c.outliers, [magnitude](const auto& o) { return o.first < magnitude; });
  c.outliers.insert(place, {magnitude, at});
  if (c.outliers.size() > Census::kOutliers) c.outliers.pop_back();
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
    if (c.outliers.size() < Census::kOutliers || std::abs(x) > c.outliers.back().first) {
      add_outlier(c, std::abs(x), at);
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

namespace {

/// Evenly spread rows, which are read together.
Result<void> add_rows(const Matrix& matrix, Census& c) {
  const std::uint64_t length = matrix.columns();
  const std::uint64_t most = std::clamp<std::uint64_t>(
      kSampledCells / std::max<std::uint64_t>(length, 1), kFewestLines, kMostLines);
  const std::uint64_t skip = (matrix.rows() + most - 1) / most;
  if (skip == 0) return {};
  std::vector<float> values((matrix.rows() + skip - 1) / skip * length);
  CKPT_TRY_VOID(matrix.read_some({0, matrix.rows(), 0, length}, skip, values), "values");
  for (std::uint64_t r = 0; r < matrix.rows(); r += skip) {
    add_line(c, std::span(values).subspan(r / skip * length, length), {r, 0}, {0, 1});
  }
  return {};
}

/// Evenly spread columns. What lies in one word with a value is decoded with it, so of a long
/// column some values do.
Result<void> add_columns(const Matrix& matrix, std::stop_token stop, Census& c) {
  const std::uint64_t n =
      std::min(matrix.columns(),
               std::clamp<std::uint64_t>(kSampledCells / std::max<std::uint64_t>(matrix.rows(), 1),
                                         kFewestLines, kMostLines));
  const std::uint64_t step = std::max<std::uint64_t>(matrix.rows() * n / kColumnCells, 1);
  std::vector<float> values((matrix.rows() + step - 1) / step);
  for (std::uint64_t i = 0; i < n; ++i) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const std::uint64_t at = i * matrix.columns() / n;
    CKPT_TRY_VOID(matrix.read_some({0, matrix.rows(), at, at + 1}, step, values), "values");
    add_line(c, values, {0, at}, {step, 0});
  }
  return {};
}

}  // namespace

Result<Census> take_sample(const Matrix& matrix, std::stop_token stop) {
  Census c = empty_census();
  c.sampled = true;
  CKPT_TRY_VOID(matrix.by_columns() ? add_columns(matrix, stop, c) : add_rows(matrix, c), "sample");
  if (c.finite() == 0) c.low = c.high = 0;
  return c;
}

}  // namespace ckpt::gui
