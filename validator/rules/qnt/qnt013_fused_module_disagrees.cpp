#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt013 {

void run(const RuleInput& in, const Emit& emit) {
  report_raises(in, emit, false,
                "give all members of a fused module the same bits, group size and symmetry");
}

}  // namespace qnt013

extern const Rule kQNT013;
const Rule kQNT013{
    .code = "QNT013",
    .name = "fused-module-disagrees",
    .severity = results::Severity::error,
    .what = "The members of every fused engine module resolve to one scheme.",
    .why =
        "vLLM and SGLang build q/k/v, gate/up, in_proj_qkv/z and in_proj_b/a as one module "
        "each and raise ValueError when the members differ.",
    .bad = "q_proj at 8 bits, k_proj and v_proj at 4",
    .good = "all three at 8 bits",
    .fix = "give all members the same bits, group size and symmetry",
    .sources = "loaders 2.3, 2.5 (ran)",
    .run = qnt013::run,
};

}  // namespace ckpt::rules
