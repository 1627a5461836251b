// Softmax over the experts and the choice of the top K.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cpu/cpu_ops.h"

namespace ckpt::kernels::cpu {

namespace {

// NaN never wins against a number, and never breaks the order.
float rank_of(float p) {
  return std::isnan(p) ? -1.0F : p;
}

void route_token(const Level& level, const RouteArgs& args, std::int64_t t, std::vector<float>& p,
                 std::vector<std::int32_t>& order) {
  const std::int64_t experts = args.logits.cols;
  const auto k = static_cast<std::size_t>(args.top_k);
  const auto at = static_cast<std::size_t>(t);
  std::copy_n(args.logits.data + t * args.logits.stride, experts, p.data());
  const float sum = level.exp_sum(p.data(), level.max(p.data(), experts), experts);
  for (float& value : p) value /= sum;
  std::iota(order.begin(), order.end(), 0);
  const std::size_t sorted = std::min(k + 1, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(sorted), order.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const float pa = rank_of(p[static_cast<std::size_t>(a)]);
                      const float pb = rank_of(p[static_cast<std::size_t>(b)]);
                      return pa != pb ? pa > pb : a < b;
                    });
  const auto chance = [&](std::size_t i) { return p[static_cast<std::size_t>(order[i])]; };
  float total = 0;
  for (std::size_t i = 0; i < k; ++i) total += chance(i);
  for (std::size_t i = 0; i < k; ++i) {
    args.ids[at * k + i] = order[i];
    args.weights[at * k + i] = chance(i) / total;
  }
  level.round(&args.weights[at * k], args.top_k, args.rounding);
  args.margins[at] = sorted > k ? chance(k - 1) - chance(k) : 1.0F;
}

}  // namespace

Result<void> CpuOps::route(const RouteArgs& args) {
  const std::int64_t experts = args.logits.cols;
  const std::int64_t tokens = args.logits.rows;
  if (!fits(args)) return bad_extents("route");
  over_rows(tokens, experts * 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> p(static_cast<std::size_t>(experts));
    std::vector<std::int32_t> order(static_cast<std::size_t>(experts));
    for (std::int64_t t = begin; t < end; ++t) route_token(level_, args, t, p, order);
  });
  return {};
}

}  // namespace ckpt::kernels::cpu
