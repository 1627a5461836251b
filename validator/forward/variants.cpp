#include "validator/forward/variants.h"

#include <algorithm>

namespace ckpt::forward {

using arch::ModuleClass;
using kernels::Rows;

namespace {

/// Uniform in +-2^-9 (splitmix64 of the place).
float noise_at(int layer, std::uint64_t token, std::uint64_t column) {
  std::uint64_t z = (static_cast<std::uint64_t>(layer) << 48) ^ (token << 20) ^ column;
  z = (z + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  z ^= z >> 31;
  return static_cast<float>(static_cast<std::int64_t>(z) >> 40) * 0x1p-23F * 0x1p-9F;
}

}  // namespace

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

Result<void> VariantStates::copy(std::size_t v, const Rows& from) {
  CKPT_TRY_VOID(revive(v, from.rows, from.cols), "variant");
  CKPT_TRY_VOID(ctx_.ops.fill(states_[v].x, 0), "variant");
  return ctx_.ops.add(states_[v].x, from, kernels::Rounding::none);
}

Result<void> VariantStates::wake(int layer, ModuleClass cls, const Rows& reference,
                                 const Rows& candidate) {
  for (std::size_t v = 0; v < size(); ++v) {
    if (states_[v].alive || !variants_[v].touches(layer, cls)) continue;
    const Stream from =
        cls == ModuleClass::embedding ? variants_[v].source(layer, cls) : variants_[v].follows;
    CKPT_TRY_VOID(copy(v, from == Stream::reference ? reference : candidate), "variant");
  }
  return {};
}

Result<void> VariantStates::wake_noise(const Rows& reference, const Rows& candidate) {
  for (std::size_t v = 0; v < size(); ++v) {
    if (states_[v].alive || !variants_[v].noise) continue;
    CKPT_TRY_VOID(copy(v, variants_[v].follows == Stream::reference ? reference : candidate),
                  "variant");
  }
  return {};
}

Result<void> VariantStates::disturb(int layer, std::int64_t first_token) {
  constexpr std::int64_t kRows = 64;
  std::vector<float> host;
  for (std::size_t v = 0; v < size(); ++v) {
    if (!states_[v].alive || !variants_[v].noise) continue;
    const Rows& x = states_[v].x;
    for (std::int64_t row = 0; row < x.rows; row += kRows) {
      const Rows part = x.slice(row, std::min(kRows, x.rows - row));
      host.resize(static_cast<std::size_t>(part.rows * part.cols));
      CKPT_TRY_VOID(ctx_.ops.read(part, host), "noise");
      for (std::size_t i = 0; i < host.size(); ++i) {
        const auto token =
            static_cast<std::uint64_t>(first_token + row) + i / static_cast<std::size_t>(part.cols);
        host[i] *= 1 + noise_at(layer, token, i % static_cast<std::size_t>(part.cols));
      }
      CKPT_TRY_VOID(ctx_.ops.write(part, host), "noise");
    }
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
