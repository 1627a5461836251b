#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg001 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::missing_file, "stops: no config.json",
                      "add config.json");
}

}  // namespace cfg001

extern const Rule kCFG001;
const Rule kCFG001{
    .code = "CFG001",
    .name = "config-missing",
    .severity = results::Severity::error,
    .what = "The repo has a config.json.",
    .why = "No loader can say what the model is.",
    .bad = "a folder without config.json",
    .good = "config.json beside the weights",
    .fix = "add config.json",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg001::run,
};

}  // namespace ckpt::rules
