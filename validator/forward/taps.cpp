#include "validator/forward/taps.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ckpt::forward {

std::string_view point_name(Point point) {
  constexpr std::string_view kNames[] = {
      "embedding",      "input norm",      "GDN qkv",          "GDN z",
      "GDN b",          "GDN a",           "GDN conv",         "GDN silu",
      "GDN o",          "GDN gated norm",  "GDN out",          "attention q",
      "attention k",    "attention v",     "attention q rope", "attention k rope",
      "attention o",    "attention gated", "attention out",    "mixer residual",
      "post norm",      "router logits",   "expert gate",      "expert up",
      "expert product", "expert out",      "shared gate",      "shared up",
      "shared product", "shared out",      "mlp out",          "residual",
      "final norm",     "logits"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Point::logits) + 1);
  return kNames[static_cast<std::size_t>(point)];
}

void Taps::merge(Key key, Stream stream, const kernels::Range& range, std::int64_t token,
                 float value) {
  TapRecord& record = records_[key];
  const auto s = static_cast<std::size_t>(stream);
  kernels::Range& all = record.range[s];
  all.max_abs = std::max(all.max_abs, range.max_abs);
  all.above_f16 += range.above_f16;
  all.nonfinite += range.nonfinite;
  std::int64_t& first = record.first_token[s];
  if (token < 0 || (first >= 0 && token >= first)) return;
  first = token;
  record.first_value[s] = value;
}

namespace {

/// The first value of a row that is not finite.
Result<float> first_nonfinite(kernels::Ops& ops, const kernels::Rows& row) {
  std::vector<float> values(static_cast<std::size_t>(row.cols));
  CKPT_TRY_VOID(ops.read(row, values), "values");
  const auto at = std::ranges::find_if_not(values, [](float v) { return std::isfinite(v); });
  return at == values.end() ? 0.0F : *at;
}

}  // namespace

Result<void> TapSource::see(kernels::Ops& ops, Point point, const kernels::Rows& x) const {
  if (taps == nullptr || x.rows <= skip_rows) return {};
  CKPT_TRY(const kernels::Range range, ops.probe(x.slice(skip_rows, x.rows - skip_rows)),
           point_name(point));
  std::int64_t token = range.first_nonfinite;
  float value = 0;
  if (token >= 0) {
    CKPT_TRY(value, first_nonfinite(ops, x.slice(skip_rows + token, 1)), point_name(point));
  }
  if (token >= 0 && !row_token.empty()) token = row_token[static_cast<std::size_t>(token)];
  taps->merge({layer, point}, stream, range, token < 0 ? -1 : first_token + token, value);
  return {};
}

}  // namespace ckpt::forward
