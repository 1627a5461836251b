#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg004 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::class_shape, "builds a model of default sizes",
                      "use the class that fits the config, or nest the config");
}

}  // namespace cfg004

extern const Rule kCFG004;
const Rule kCFG004{
    .code = "CFG004",
    .name = "class-contradicts-config-shape",
    .severity = results::Severity::error,
    .what =
        "A ForConditionalGeneration class has a nested config (`text_config`, "
        "`vision_config`).",
    .why =
        "A flat config read by the nested class does not fail: the sub-configs become the "
        "defaults, a full 35B-A3B.",
    .bad = "Qwen3_5MoeForConditionalGeneration with a flat config",
    .good = "Qwen3_5MoeForCausalLM with a flat config",
    .fix = "use the class that fits the config, or nest the config",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg004::run,
};

}  // namespace ckpt::rules
