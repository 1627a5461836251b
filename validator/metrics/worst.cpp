#include "validator/metrics/worst.h"

#include <algorithm>
#include <cmath>

namespace ckpt::metrics {
namespace {

template <class T, class Index>
void keep(std::vector<T>& all, std::span<const kernels::Divergence> positions, Index index) {
  std::erase_if(all, [&](const T& x) { return !std::isfinite(positions[index(x)].kl); });
  const auto n = static_cast<std::ptrdiff_t>(std::min(kWorstPositions, all.size()));
  std::partial_sort(all.begin(), all.begin() + n, all.end(), [&](const T& a, const T& b) {
    const double x = positions[index(a)].kl;
    const double y = positions[index(b)].kl;
    return x != y ? x > y : index(a) < index(b);
  });
  all.erase(all.begin() + n, all.end());
}

}  // namespace

TopTokens top_tokens(std::span<const float> logits) {
  TopTokens top;
  std::size_t n = 0;
  for (std::size_t v = 0; v < logits.size(); ++v) {
    const float z = logits[v];
    if (std::isnan(z) || (n == kTopTokens && z <= top.logit[n - 1])) continue;
    std::size_t at = n < kTopTokens ? n++ : n - 1;
    for (; at > 0 && top.logit[at - 1] < z; --at) {
      top.logit[at] = top.logit[at - 1];
      top.id[at] = top.id[at - 1];
    }
    top.logit[at] = z;
    top.id[at] = static_cast<std::int32_t>(v);
  }
  return top;
}

void keep_worst(std::vector<std::uint64_t>& indices,
                std::span<const kernels::Divergence> positions) {
  keep(indices, positions, [](std::uint64_t i) { return i; });
}

void keep_worst(std::vector<TopPair>& pairs, std::span<const kernels::Divergence> positions) {
  keep(pairs, positions, [](const TopPair& p) { return p.index; });
}

}  // namespace ckpt::metrics
