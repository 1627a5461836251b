#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace map011 {

void run(const RuleInput& in, const Emit& emit) {
  report_spelling(in, emit, arch::Spelling::gate_up_prefixed, false,
                  "split and rename the tensors");
}

}  // namespace map011

extern const Rule kMAP011;
const Rule kMAP011{
    .code = "MAP011",
    .name = "experts-gate-up-joined",
    .severity = results::Severity::error,
    .what = "Experts are not spelt `experts.{e}.gate_up_proj`.",
    .why =
        "vLLM splits them along the first axis, right for plain and wrong for packed "
        "tensors; transformers leaves them random.",
    .bad = "experts.17.gate_up_proj.weight",
    .good = "experts.17.gate_proj.weight and experts.17.up_proj.weight",
    .fix = "split and rename the tensors",
    .sources = "loaders 2.7; architecture 2.6",
    .run = map011::run,
};

}  // namespace ckpt::rules
