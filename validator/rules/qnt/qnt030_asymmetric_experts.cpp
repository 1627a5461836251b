#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt030 {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::compressed_tensors) || !in.intent->predicted) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.blueprint->modules()[i].cls != arch::ModuleClass::routed_expert) continue;
    const loaders::Decision* d = in.intent->decision(i);
    if (d != nullptr && d->quantized && !d->sym &&
        quant::is_quantized(in.stored->modules[i].format))
      found.push_back(i);
  }
  if (found.empty()) return;
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message =
      fmt::format("{} expert linears are quantized asymmetrically", with_commas(found.size()));
  draft.subject = "experts";
  draft.count = found.size();
  draft.where.push_back(
      at_json(q.file, q.pointer + "/config_groups", q.block.value.find("config_groups")));
  add_modules(in, found, draft);
  draft.effects = {{"transformers", results::LoaderState::does_not_load,
                    "RuntimeError while joining the experts"}};
  draft.fix = "quantize the experts symmetrically";
  emit(std::move(draft));
}

}  // namespace qnt030

extern const Rule kQNT030;
const Rule kQNT030{
    .code = "QNT030",
    .name = "asymmetric-experts",
    .severity = results::Severity::warning,
    .what = "Routed experts of a compressed-tensors checkpoint are quantized symmetrically.",
    .why =
        "transformers joins experts from packed words, scales and shapes only and raises a "
        "RuntimeError on zero points; vLLM's fused expert kernels assert symmetry.",
    .bad = "experts with \"symmetric\": false and weight_zero_point",
    .good = "\"symmetric\": true",
    .fix = "quantize the experts symmetrically",
    .sources = "loaders 3.2 (ran), section 5, QC023",
    .run = qnt030::run,
};

}  // namespace ckpt::rules
