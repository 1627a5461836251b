#include "validator/forward/routing.h"

#include <algorithm>

namespace ckpt::forward {

void Routing::resize(std::size_t tokens, std::size_t top_k) {
  ids.resize(tokens * top_k);
  weights.resize(tokens * top_k);
  margins.resize(tokens);
}

void Routing::sort_by_expert(std::size_t experts, std::size_t top_k) {
  begin.assign(experts + 1, 0);
  for (const std::int32_t id : ids) ++begin[static_cast<std::size_t>(id) + 1];
  for (std::size_t e = 0; e < experts; ++e) begin[e + 1] += begin[e];
  std::vector<std::size_t> next(begin.begin(), begin.end() - 1);
  token.resize(ids.size());
  gate.resize(ids.size());
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    const std::size_t at = next[static_cast<std::size_t>(ids[slot])]++;
    token[at] = static_cast<std::int64_t>(slot / top_k);
    gate[at] = weights[slot];
  }
}

Stretch Routing::tokens_of(std::size_t first_expert, std::size_t end_expert) const {
  const std::size_t first = begin[first_expert];
  const std::size_t count = begin[end_expert] - first;
  return {std::span(token).subspan(first, count), std::span(gate).subspan(first, count)};
}

Stretch Routing::stretch(std::size_t expert, std::size_t first, std::size_t count) const {
  const std::size_t size = begin[expert + 1] - begin[expert];
  first = std::min(first, size);
  count = std::min(count, size - first);
  return {std::span(token).subspan(begin[expert] + first, count),
          std::span(gate).subspan(begin[expert] + first, count)};
}

}  // namespace ckpt::forward
