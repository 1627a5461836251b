#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "validator/config/model_config.h"
#include "validator/forward/observer.h"
#include "validator/metrics/record.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

/// Adds what the forward pass reports to a record; the taps go there directly. Used from one
/// thread.
class Collector final : public forward::Observer {
 public:
  /// `record` must outlive this. `next`, when given, hears everything too.
  Collector(Record& record, forward::Observer* next) : record_(record), next_(next) {}

  void on_routing(int layer, const forward::LayerRouting& routing) override;
  void on_expert(int layer, int expert, const forward::ExpertSquares& squares) override;
  void on_layer(int layer, const forward::LayerSquares& squares) override;
  void on_positions(std::int64_t first, std::span<const kernels::Divergence> positions) override;
  void on_variant(std::size_t variant, std::span<const kernels::Divergence> positions) override;
  Result<void> on_reference(int layer, std::int64_t first, kernels::Ops& ops,
                            const kernels::Rows& states) override;
  Result<void> on_logits(std::int64_t first, kernels::Ops& ops, const kernels::Rows& reference,
                         const kernels::Rows& candidate) override;

 private:
  [[nodiscard]] Result<void> keep_tops(kernels::Ops& ops, const kernels::Rows& reference,
                                       const kernels::Rows& candidate);

  Record& record_;
  forward::Observer* next_;
  std::vector<float> row_;  // of logits, on the host
};

/// The metrics of a whole run. `config` is the reference's, `seed` that of the intervals. Texts of
/// tokens are left to who has a tokenizer.
[[nodiscard]] results::Metrics metrics_of(const Record& record, const config::TextConfig& config,
                                          std::uint64_t seed = 0);

/// KL(reference || candidate) of every position, in token order.
[[nodiscard]] std::vector<double> kl_of(const Record& record);

}  // namespace ckpt::metrics
