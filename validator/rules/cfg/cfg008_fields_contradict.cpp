#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg008 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::inconsistent,
                      "builds another model than the stored one",
                      "make the fields agree with the base model");
}

}  // namespace cfg008

extern const Rule kCFG008;
const Rule kCFG008{
    .code = "CFG008",
    .name = "fields-contradict",
    .severity = results::Severity::error,
    .what = "Fields that say the same thing agree, and sizes divide where they must.",
    .why =
        "Engines read different fields: SGLang takes `full_attention_interval`, vLLM "
        "`layer_types`; each then builds another model.",
    .bad = "32 layers, 31 layer types",
    .good = "32 layers, 32 layer types",
    .fix = "make the fields agree with the base model",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg008::run,
};

}  // namespace ckpt::rules
