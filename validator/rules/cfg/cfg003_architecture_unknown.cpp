#include "validator/rules/places.h"

namespace ckpt::rules {
namespace cfg003 {

void run(const RuleInput& in, const Emit& emit) {
  emit_config_defects(
      in, emit, config::DefectKind::unsupported_architecture, "",
      "check the name; for another architecture only container and index are checked");
}

}  // namespace cfg003

extern const Rule kCFG003;
const Rule kCFG003{
    .code = "CFG003",
    .name = "architecture-unknown",
    .severity = results::Severity::warning,
    .what = "`architectures` names a class ckpt-check knows.",
    .why =
        "Without a blueprint the tensors cannot be judged: this run is incomplete, which is"
        " not a pass.",
    .bad = "\"architectures\": [\"FooForCausalLM\"]",
    .good = "\"architectures\": [\"Qwen3_5MoeForCausalLM\"]",
    .fix = "check the name; for another architecture only container and index are checked",
    .sources =
        "transformers 5.17, models/qwen3_5_moe/configuration_qwen3_5_moe.py; architecture, "
        "section 1",
    .run = cfg003::run,
};

}  // namespace ckpt::rules
