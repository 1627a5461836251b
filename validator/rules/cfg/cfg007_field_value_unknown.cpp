#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg007 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::unknown_value, "refuses the config",
                      "write one of the known values");
}

}  // namespace cfg007

extern const Rule kCFG007;
const Rule kCFG007{
    .code = "CFG007",
    .name = "field-value-unknown",
    .severity = results::Severity::error,
    .what = "Enumerated fields hold a known value.",
    .why = "An unknown layer type or RoPE type is refused, or replaced by a default.",
    .bad = "\"layer_types\": [\"lineer_attention\"]",
    .good = "\"layer_types\": [\"linear_attention\"]",
    .fix = "write one of the known values",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg007::run,
};

}  // namespace ckpt::rules
