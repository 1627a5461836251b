#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg009 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(in, emit, config::DefectKind::duplicate_key,
                      "which value counts depends on the reader", "remove one of the two");
}

}  // namespace cfg009

extern const Rule kCFG009;
const Rule kCFG009{
    .code = "CFG009",
    .name = "config-duplicate-key",
    .severity = results::Severity::error,
    .what = "No key stands twice in one object of config.json.",
    .why = "Python keeps the last, other readers the first: two loaders see two configs.",
    .bad = "{\"num_experts\": 12, \"num_experts\": 16}",
    .good = "each key once",
    .fix = "remove one of the two",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg009::run,
};

}  // namespace ckpt::rules
