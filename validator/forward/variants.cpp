#include "validator/forward/variants.h"

#include <algorithm>

namespace ckpt::forward {

using arch::ModuleClass;
using kernels::Rows;

bool ModulePick::matches(int at_layer, ModuleClass at_cls, int at_expert) const {
  return (layer < 0 || layer == at_layer) && (any_class || cls == at_cls) &&
         (expert < 0 || expert == at_expert);
}

Stream Variant::source(int layer, ModuleClass cls, int expert) const {
  const bool other = std::ranges::any_of(
      picks, [&](const ModulePick& p) { return p.matches(layer, cls, expert); });
  const bool reference = (follows == Stream::reference) != other;
  return reference ? Stream::reference : Stream::candidate;
}

bool Variant::touches(int layer, ModuleClass cls) const {
  return std::ranges::any_of(picks, [&](const ModulePick& p) {
    // A single expert touches its class too.
    return p.matches(layer, cls, p.expert);
  });
}

Result<void> VariantStates::wake(int layer, ModuleClass cls, const Rows& reference,
                                 const Rows& candidate) {
  for (std::size_t v = 0; v < size(); ++v) {
    State& s = states_[v];
    if (s.alive || !variants_[v].touches(layer, cls)) continue;
    CKPT_TRY_VOID(revive(v, reference.rows, reference.cols), "variant");
    const Stream from =
        cls == ModuleClass::embedding ? variants_[v].source(layer, cls) : variants_[v].follows;
    CKPT_TRY_VOID(ctx_.ops.fill(s.x, 0), "variant");
    CKPT_TRY_VOID(ctx_.ops.add(s.x, from == Stream::reference ? reference : candidate,
                               kernels::Rounding::none),
                  "variant");
  }
  return {};
}

Result<void> VariantStates::revive(std::size_t v, std::int64_t rows, std::int64_t cols) {
  State& s = states_[v];
  CKPT_TRY(s.memory, ctx_.ops.allocate(2 * rows * cols), "variant");
  s.x = {s.memory.data(), rows, cols, cols};
  s.y = {s.memory.data() + rows * cols, rows, cols, cols};
  s.alive = true;
  return {};
}

}  // namespace ckpt::forward
