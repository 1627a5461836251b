#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "validator/pipeline/kl.h"

namespace ckpt::pipeline {

/// Which parts of the model are taken apart.
enum class AttributionDetail : std::uint8_t { layer, cls, both, expert };

struct AttributionArgs {
  AttributionDetail detail = AttributionDetail::layer;
  std::size_t top_experts = 8;  ///< measured one by one, with AttributionDetail::expert
  std::optional<double> limit;  ///< mean KL, nats: advise how to get below it
  bool confirm = false;         ///< measure the advised set, and correct it up to twice
};

/// run_kl() with the streams that tell where the divergence comes from; fills
/// Metrics::attribution. Layers and classes cost no further pass over the weights; single experts,
/// and the confirmation of an advice, take one each. Errors: as run_kl.
[[nodiscard]] Result<KlOutcome> run_attribution(const KlArgs& args,
                                                const AttributionArgs& attribution);

/// What to paste into the candidate's quantization config so that the promoted modules stay at 16
/// bits: sets `setting` and `fragment` of an advice. Nothing when the format has no such list.
void write_fragment(const OpenedRepo& candidate, results::Advice& advice);

}  // namespace ckpt::pipeline
