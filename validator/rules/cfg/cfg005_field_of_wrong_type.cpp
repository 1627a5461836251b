#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg005 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::wrong_type,
                      "refuses the config or misreads the field",
                      "write the value with the right type");
}

}  // namespace cfg005

extern const Rule kCFG005;
const Rule kCFG005{
    .code = "CFG005",
    .name = "field-of-wrong-type",
    .severity = results::Severity::error,
    .what =
        "Each field that is read has the type it must have; whole numbers are written as "
        "such.",
    .why = "Loaders refuse it, or convert it silently.",
    .bad = "\"num_experts\": \"12\"",
    .good = "\"num_experts\": 12",
    .fix = "write the value with the right type",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg005::run,
};

}  // namespace ckpt::rules
