#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace map010 {

void run(const RuleInput& in, const Emit& emit) {
  report_spelling(in, emit, arch::Spelling::gate_up_suffixed, false,
                  "split and rename the tensors; no code changes");
}

}  // namespace map010

extern const Rule kMAP010;
const Rule kMAP010{
    .code = "MAP010",
    .name = "experts-gate-up-suffixed",
    .severity = results::Severity::error,
    .what = "Experts are not spelt `experts.gate_up_proj.{e}`.",
    .why =
        "auto-round 0.10 with transformers 5 wrote this. vLLM raises AttributeError "
        "(published repos ship a runtime patch), transformers loads random weights with a "
        "warning, SGLang drops the tensors. Renaming and splitting loses nothing.",
    .bad = "experts.gate_up_proj.17.qweight",
    .good = "experts.17.gate_proj.qweight and experts.17.up_proj.qweight",
    .fix = "split and rename the tensors; no code changes",
    .sources = "cards 001 and 002; loaders 2.7, 3.1 (ran); formats 3.8",
    .run = map010::run,
};

}  // namespace ckpt::rules
