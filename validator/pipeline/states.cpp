#include "validator/pipeline/states.h"

#include <fmt/format.h>

namespace ckpt::pipeline {

std::vector<std::pair<std::string, kernels::Rows>> kept_states(const forward::StateView& s) {
  std::vector<std::pair<std::string, kernels::Rows>> out{{"reference", s.hidden.x_reference},
                                                         {"candidate", s.hidden.x_candidate}};
  for (std::size_t v = 0; v < s.variants.size(); ++v) {
    if (s.variants.alive(v)) out.emplace_back(fmt::format("variant.{:06}", v), s.variants.x(v));
  }
  return out;
}

}  // namespace ckpt::pipeline
