#pragma once
// Further streams of hidden states in the same pass over the weights: each follows the reference or
// the candidate but for some modules, whose weights it takes from the other one. Comparing them
// with the reference tells what those modules cost (metrics, section 5).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/forward/context.h"

namespace ckpt::forward {

/// Modules picked out of a model; a field left at its default matches everything.
struct ModulePick {
  int layer = -1;
  bool any_class = true;
  arch::ModuleClass cls = arch::ModuleClass::norm;  ///< when not any_class
  int expert = -1;                                  ///< routed experts only

  [[nodiscard]] bool matches(int at_layer, arch::ModuleClass at_cls, int at_expert) const;
};

/// A stream that takes the picked modules from the other side. Without picks it is a control: it
/// must equal the stream it follows to the bit. The norms of a mixer count as the mixer, the gate
/// of the shared expert as the shared expert.
struct Variant {
  Stream follows = Stream::reference;
  std::vector<ModulePick> picks;
  /// Disturbs the hidden states after every layer: each number times 1 + e, e uniform in +-2^-9,
  /// the half step of BF16, from a counter, so that the same run gives the same bits.
  bool noise = false;

  /// Whose weights the stream takes. `expert` -1 asks for the class as a whole.
  [[nodiscard]] Stream source(int layer, arch::ModuleClass cls, int expert = -1) const;
  /// Whether any module of the class in the layer comes from the other side.
  [[nodiscard]] bool touches(int layer, arch::ModuleClass cls) const;
};

/// Hidden states of the variants of one pass. A variant has none until its first differing module:
/// until then it is the stream it follows.
class VariantStates {
 public:
  VariantStates(const Context& context, std::span<const Variant> variants)
      : ctx_(context), variants_(variants), states_(variants.size()) {}

  [[nodiscard]] std::size_t size() const { return variants_.size(); }

  [[nodiscard]] bool alive(std::size_t v) const { return states_[v].alive; }

  [[nodiscard]] const Variant& variant(std::size_t v) const { return variants_[v]; }

  [[nodiscard]] const kernels::Rows& x(std::size_t v) const { return states_[v].x; }

  /// Output of the second half of a layer, summed up here.
  [[nodiscard]] const kernels::Rows& y(std::size_t v) const { return states_[v].y; }

  /// Brings those to life that touch the class in this layer, as copies of what they follow; for
  /// the embedding as copies of what they take. Errors: memory.
  [[nodiscard]] Result<void> wake(int layer, arch::ModuleClass cls, const kernels::Rows& reference,
                                  const kernels::Rows& candidate);
  /// Brings those with noise to life, as copies of what they follow. Errors: memory.
  [[nodiscard]] Result<void> wake_noise(const kernels::Rows& reference,
                                        const kernels::Rows& candidate);
  /// Disturbs those with noise after a layer; `first_token` is the pass' first over all sequences.
  [[nodiscard]] Result<void> disturb(int layer, std::int64_t first_token);
  /// Gives a variant memory for states of this extent, contents undefined. Errors: memory.
  [[nodiscard]] Result<void> revive(std::size_t v, std::int64_t rows, std::int64_t cols);

 private:
  [[nodiscard]] Result<void> copy(std::size_t v, const kernels::Rows& from);

  struct State {
    bool alive = false;
    kernels::Buffer memory;
    kernels::Rows x;
    kernels::Rows y;
  };

  const Context& ctx_;
  std::span<const Variant> variants_;
  std::vector<State> states_;
};

}  // namespace ckpt::forward
