#pragma once
// Where the divergence comes from: which variants to carry, what their divergences say, and which
// modules to keep at 16 bits (metrics, section 5).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/config/model_config.h"
#include "validator/forward/variants.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

/// A part of the model whose cost is asked for: a layer, a class of modules, or one expert.
struct Unit {
  enum class Kind : std::uint8_t { layer, cls, expert };

  Kind kind = Kind::layer;
  int layer = -1;
  int expert = -1;
  arch::ModuleClass cls = arch::ModuleClass::norm;

  [[nodiscard]] forward::ModulePick pick() const;
};

/// Every layer of the model, in order.
[[nodiscard]] std::vector<Unit> layer_units(const config::TextConfig& config);
/// The classes of modules that the text model has: mixers with their norms, routers, routed and
/// shared experts (or the dense MLP), the other norms, embedding, head.
[[nodiscard]] std::vector<Unit> class_units(const config::TextConfig& config);

/// The variants that measure some units: first a control, then for each unit the reference with
/// only it from the candidate (its cost), then the candidate with it from the reference (its gain).
[[nodiscard]] std::vector<forward::Variant> variants_of(std::span<const Unit> units);

/// KL lists per position of a run, as pipeline::KlOutcome has them.
struct VariantKl {
  std::span<const double> kl;
  std::span<const std::vector<double>> variants;
  std::span<const std::uint64_t> lengths;  ///< positions of each sequence
  std::uint64_t seed = 0;                  ///< of the intervals
};

/// Costs and gains of `units`, in the order of variants_of. Bytes stay 0.
[[nodiscard]] std::vector<results::Cost> costs_of(std::span<const Unit> units,
                                                  const VariantKl& measured);

/// Largest |KL| of the control, which must be 0.
[[nodiscard]] double control_of(const VariantKl& measured);

/// KL_full over the sum of the costs: 1 when costs add up.
[[nodiscard]] double additivity(double kl_full, std::span<const results::Cost> costs);

/// A layer's modules of one class, as something that could stay at 16 bits.
struct Candidate {
  int layer = 0;
  arch::ModuleClass cls = arch::ModuleClass::norm;
  std::uint64_t extra_bytes = 0;  ///< reference's bytes minus the candidate's
};

/// The cheapest promotions, by gain per byte, whose predicted mean KL is below `limit`. The gain of
/// a layer's class is the layer's measured gain shared out by the classes' measured gains per layer
/// (an estimate of rank 1); gains are taken to add up. Promotions that turn out not to be needed
/// are dropped again, the largest first.
[[nodiscard]] results::Advice advise(double kl_full, double limit,
                                     std::span<const results::Cost> costs,
                                     std::span<const Candidate> candidates);

}  // namespace ckpt::metrics
