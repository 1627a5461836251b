#pragma once

#include <cstdint>
#include <span>

#include "kernels/ops.h"
#include "validator/base/result.h"

namespace ckpt::forward {

/// Squared norms of one layer, one number per token of the pass, in token order.
struct LayerSquares {
  std::span<const double> hidden_reference;  ///< ||h_ref||^2 after the layer
  std::span<const double> hidden_candidate;
  std::span<const double> difference;        ///< ||h_cand - h_ref||^2 after the layer
  std::span<const double> update_reference;  ///< ||h_ref after - h_ref before||^2
  /// ||local difference||^2: mixer and MLP of the candidate on the reference's own inputs to each,
  /// with the reference's routing, against the reference; the two differences added. Empty when
  /// local errors were not asked for. The update is empty too when the reference was not computed.
  std::span<const double> local;
};

/// Routing of one layer over the tokens of the pass; ids and weights are [tokens, top_k].
struct LayerRouting {
  std::int64_t top_k = 0;
  std::span<const std::int32_t> ids_reference;
  std::span<const std::int32_t> ids_local;      ///< candidate's router on the reference's inputs
  std::span<const std::int32_t> ids_candidate;  ///< along the way
  std::span<const float> weights_reference;
  std::span<const float> weights_candidate;
  std::span<const float> margins_reference;  ///< p(k-th) - p(next), before normalisation
};

/// One routed expert over the tokens that the reference sent to it, on the reference's inputs.
struct ExpertSquares {
  std::span<const std::int64_t> tokens;  ///< of the pass, ascending
  std::span<const float> gates;          ///< normalised top-k weight
  std::span<const double> output;        ///< ||E_ref(x)||^2
  std::span<const double> difference;    ///< ||E_cand(x) - E_ref(x)||^2
};

/// Receives what the forward pass measures, in a fixed order, from one thread. Within a layer:
/// routing, experts in ascending order, squares. Spans are valid during the call.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_routing(int layer, const LayerRouting& routing) = 0;
  virtual void on_expert(int layer, int expert, const ExpertSquares& squares) = 0;
  virtual void on_layer(int layer, const LayerSquares& squares) = 0;
  /// Positions in token order over all sequences; `first` is the index of the first.
  virtual void on_positions(std::int64_t first, std::span<const kernels::Divergence> positions) = 0;

  /// The same for a variant against the reference; those of a block follow on_positions.
  virtual void on_variant(std::size_t variant, std::span<const kernels::Divergence> positions) {
    static_cast<void>(variant), static_cast<void>(positions);
  }

  /// The reference's residual after a layer, and after the last one its normalised states (layer
  /// equal to the number of layers). Rows of the pass, whose first token is `first`. Errors end the
  /// run.
  virtual Result<void> on_reference(int layer, std::int64_t first, kernels::Ops& ops,
                                    const kernels::Rows& states) {
    static_cast<void>(layer), static_cast<void>(first);
    static_cast<void>(ops), static_cast<void>(states);
    return {};
  }

  /// Logits of the positions of the latest on_positions, [P, V] each, before they are dropped. Who
  /// needs few of them reads few: each row is as long as the vocabulary.
  virtual Result<void> on_logits(std::int64_t first, kernels::Ops& ops,
                                 const kernels::Rows& reference, const kernels::Rows& candidate) {
    static_cast<void>(first), static_cast<void>(ops);
    static_cast<void>(reference), static_cast<void>(candidate);
    return {};
  }
};

}  // namespace ckpt::forward
