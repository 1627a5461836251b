#pragma once
// A load plan as text and as JSON.

#include <string>

#include "validator/loaders/load_report.h"
#include "validator/loaders/plan.h"
#include "validator/quant/stored.h"

namespace ckpt::cli {

/// One plan with what it was made from; everything must outlive the view. `stored` is null when no
/// tensors were read.
struct PlanView {
  const config::ModelConfig& config;
  const arch::Blueprint& blueprint;
  const quant::StoredModel* stored;
  const loaders::LoadPlan& plan;
  const loaders::LoadReport* load = nullptr;  ///< of the whole load, where one is predicted
};

/// JSON text, {loader, version, method, refused?, modules: [...]}; see `inspect --help`.
[[nodiscard]] std::string plan_json(const PlanView& view);

/// One line for all modules that share a name up to numbers, a scheme and an outcome.
[[nodiscard]] std::string plan_text(const PlanView& view);

}  // namespace ckpt::cli
