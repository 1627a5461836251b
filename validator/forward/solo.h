#pragma once
// The candidate alone, against states of the reference that an earlier run kept.

#include "validator/forward/executor.h"

namespace ckpt::forward {

/// Hidden states of a reference, by token of all sequences.
class ReferenceStates {
 public:
  virtual ~ReferenceStates() = default;
  /// Whether the residuals after every layer are there, not only the final states.
  [[nodiscard]] virtual bool has_layers() const = 0;
  /// Rows [first, first + to.rows): the residual after `layer`, or, for the number of layers, the
  /// normalised final states. Errors: io, format.
  [[nodiscard]] virtual Result<void> read(int layer, std::int64_t first, kernels::Ops& ops,
                                          const kernels::Rows& to) const = 0;
};

/// Runs args.pair.candidate over the sequences and compares its logits with those of the states
/// under the candidate's own head, which must be the reference's; with the layers' residuals also
/// the propagated error. The bits are those of run_forward's candidate. args.pair.reference, the
/// variants, local and the journal are not used. Errors: as run_forward.
[[nodiscard]] Result<void> run_solo(const ForwardArgs& args, const ReferenceStates& states);

}  // namespace ckpt::forward
