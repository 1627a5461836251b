#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg002 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::unreadable, "cannot read the config",
                      "repair the JSON");
}

}  // namespace cfg002

extern const Rule kCFG002;
const Rule kCFG002{
    .code = "CFG002",
    .name = "config-unreadable",
    .severity = results::Severity::error,
    .what = "config.json is strict JSON, an object, at most 16 MiB.",
    .why =
        "Comments, trailing commas, NaN or a byte order mark: loaders refuse it, or each "
        "reads something else.",
    .bad = "{\"hidden_size\": 128,}",
    .good = "{\"hidden_size\": 128}",
    .fix = "repair the JSON",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg002::run,
};

}  // namespace ckpt::rules
