#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace cfg013 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported || !in.config->dtypes.empty()) return;
  Draft draft;
  draft.message = "no `dtype` and no `torch_dtype` is declared";
  draft.subject = "dtype";
  draft.where.push_back(at_json("config.json", "", config_root(in)));
  draft.fix = "write \"dtype\": \"bfloat16\"";
  draft.edits.push_back(set_member("config.json", config_root(in), "dtype", "\"bfloat16\""));
  emit(std::move(draft));
}

}  // namespace cfg013

extern const Rule kCFG013;
const Rule kCFG013{
    .code = "CFG013",
    .name = "dtype-undeclared",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "config.json declares a dtype.",
    .why =
        "Without one each loader looks elsewhere: vLLM and SGLang at the first tensors, "
        "transformers at its default float32 or the first floating tensor, which in an "
        "AutoRound file may be an F16 scale.",
    .bad = "neither `dtype` nor `torch_dtype`",
    .good = "\"dtype\": \"bfloat16\"",
    .fix = "write \"dtype\": \"bfloat16\"",
    .sources = "loaders 2.9, 3.4, CFG005",
    .run = cfg013::run,
};

}  // namespace ckpt::rules
