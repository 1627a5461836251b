#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "validator/config/model_config.h"
#include "validator/forward/observer.h"
#include "validator/forward/taps.h"
#include "validator/metrics/over_text.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

/// Turns what the forward pass reports into Metrics. Sums run over tokens in order, so neither
/// threads nor passes change a bit. Used from one thread.
class Collector final : public forward::Observer {
 public:
  /// `config` and `sequences` (token ids) must outlive this. `next`, when given, hears everything
  /// too.
  Collector(const config::TextConfig& config,
            const std::vector<std::vector<std::int32_t>>& sequences, forward::Observer* next);

  void on_routing(int layer, const forward::LayerRouting& routing) override;
  void on_expert(int layer, int expert, const forward::ExpertSquares& squares) override;
  void on_layer(int layer, const forward::LayerSquares& squares) override;
  void on_positions(std::int64_t first, std::span<const kernels::Divergence> positions) override;
  void on_variant(std::size_t variant, std::span<const kernels::Divergence> positions) override;
  Result<void> on_logits(std::int64_t first, kernels::Ops& ops, const kernels::Rows& reference,
                         const kernels::Rows& candidate) override;

  /// Call once, after the run. The text of tokens is left to who has a tokenizer.
  [[nodiscard]] results::Metrics finish(const forward::Taps& taps) const;

  /// KL(reference || candidate) of every position, in token order.
  [[nodiscard]] std::span<const double> kl() const { return kl_; }

  /// KL(reference || variant) of every position, one list per variant, in token order.
  [[nodiscard]] const std::vector<std::vector<double>>& variant_kl() const { return variant_kl_; }

 private:
  struct LayerSums {
    double hidden_reference = 0, difference = 0, update = 0, local = 0;
    double overlap_local = 0, overlap = 0;  // shared experts, summed over tokens
    std::uint64_t same_set = 0, tokens = 0, ties = 0;
    std::int64_t top_k = 0;
  };

  struct ExpertSums {
    double output = 0, difference = 0;  // squares
    double gated = 0;                   // squares of the gated difference
    double saliency = 0, norm = 0, gate = 0;
    std::uint64_t tokens = 0;
  };

  struct Place {
    std::uint64_t sequence = 0, position = 0;
  };

  [[nodiscard]] Place place_of(std::int64_t token) const;
  void add_predictions(results::Metrics& m) const;
  void add_layers(results::Metrics& m) const;
  void add_experts(results::Metrics& m) const;
  void add_taps(const forward::Taps& taps, results::Metrics& m) const;

  const config::TextConfig& config_;
  forward::Observer* next_;
  std::vector<std::uint64_t> lengths_;
  std::vector<double> kl_, kl_reverse_, js_, tv_;
  std::vector<std::vector<double>> variant_kl_;
  std::vector<double> nll_reference_, nll_candidate_, delta_p_;  // predicted positions
  std::uint64_t compared_ = 0, same_top_ = 0, confident_flips_ = 0;
  WorstPositions worst_;
  std::map<int, LayerSums> layers_;
  std::map<std::pair<int, int>, ExpertSums> experts_;
};

}  // namespace ckpt::metrics
