#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg006 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::out_of_range,
                      "builds a model that is not the stored one",
                      "write the value of the base model");
}

}  // namespace cfg006

extern const Rule kCFG006;
const Rule kCFG006{
    .code = "CFG006",
    .name = "field-out-of-range",
    .severity = results::Severity::error,
    .what = "Each number lies in the range it can have.",
    .why =
        "Zero or negative sizes, or numbers that wrap, build another model or crash the "
        "loader.",
    .bad = "\"num_hidden_layers\": 0",
    .good = "\"num_hidden_layers\": 40",
    .fix = "write the value of the base model",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg006::run,
};

}  // namespace ckpt::rules
