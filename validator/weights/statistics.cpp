#include "validator/weights/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ckpt::weights {

Result<WeightError> weight_error(const Parameter& reference, const Parameter& candidate) {
  if (reference.shape != candidate.shape) {
    return fail(ErrorKind::format,
                fmt::format("{}: [{}] against [{}]", reference.name,
                            fmt::join(reference.shape, ", "), fmt::join(candidate.shape, ", ")));
  }
  const std::uint64_t width = reference.row_size();
  const std::uint64_t step =
      std::max<std::uint64_t>(1, (1U << 18) / std::max<std::uint64_t>(1, width));
  std::vector<float> w;
  std::vector<float> v;
  WeightError out;
  double ww = 0, vv = 0, wv = 0, dd = 0;
  for (std::uint64_t row = 0; row < reference.rows(); row += step) {
    const std::uint64_t end = std::min(reference.rows(), row + step);
    w.resize((end - row) * width);
    v.resize(w.size());
    CKPT_TRY_VOID(reference.decode(row, end, w), "reference");
    CKPT_TRY_VOID(candidate.decode(row, end, v), "candidate");
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double a = w[i];
      const double b = v[i];
      ww += a * a;
      vv += b * b;
      wv += a * b;
      dd += (a - b) * (a - b);
      const double d = std::abs(a - b);
      if (d > out.max_abs || std::isnan(d)) out.max_abs = d;  // NaN stays: it exceeds nothing
    }
  }
  out.rel_fro = dd == 0 ? 0 : std::sqrt(dd / ww);
  out.sqnr_db = 10 * std::log10(ww / dd);
  out.cosine = wv / std::sqrt(ww * vv);
  return out;
}

}  // namespace ckpt::weights
