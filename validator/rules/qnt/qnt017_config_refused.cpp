#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace qnt017 {

void run(const RuleInput& in, const Emit& emit) {
  for (const loaders::LoadPlan& plan : in.plans) {
    // A method nobody knows has a rule of its own; a missing package is no fault of the config.
    if (plan.refused.empty() || !plan.predicted ||
        in.config->quant->method == config::QuantMethod::unknown) {
      continue;
    }
    const config::QuantConfig& q = *in.config->quant;
    Draft draft;
    draft.message =
        fmt::format("{} refuses the quantization config", loaders::loader_name(plan.loader));
    draft.subject = "quantization_config";
    draft.where.push_back(at_json(q.file, q.pointer, q.block.value));
    draft.effects.push_back({std::string(loaders::loader_name(plan.loader)),
                             results::LoaderState::does_not_load, shown(plan.refused)});
    draft.fix = "export the weights in a format this loader takes";
    emit(std::move(draft));
  }
}

}  // namespace qnt017

extern const Rule kQNT017;
const Rule kQNT017{
    .code = "QNT017",
    .name = "config-refused",
    .severity = results::Severity::error,
    .what = "No loader refuses the quantization config as a whole.",
    .why =
        "vLLM takes only `auto_round:auto_gptq` and `auto_round:auto_awq` packing for "
        "integers, 2 to 8 bits, and no nested block list; compressed-tensors 0.19 refuses "
        "actorder \"group\".",
    .bad = "\"packing_format\": \"auto_round:gptqmodel\"",
    .good = "\"packing_format\": \"auto_round:auto_gptq\"",
    .fix = "export again in a format the loader takes",
    .sources = "loaders 2.3, 2.5 (ran)",
    .run = qnt017::run,
};

}  // namespace ckpt::rules
