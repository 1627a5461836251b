#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kNUM001;
const Rule kNUM001{
    .code = "NUM001",
    .name = "divergence-above-gate",
    .severity = results::Severity::error,
    .needs = Needs::forward,
    .what =
        "A divergence from the reference (KL, JS, TV; any statistic of it) stays within its"
        " gate.",
    .why =
        "The candidate answers differently from the BF16 model more often than its "
        "publisher allows. KL measures how much changed, not how good the model is.",
    .bad = "kl.mean 0.031 with --gate 'kl.mean<=0.014'",
    .good = "kl.mean 0.011",
    .fix =
        "run it with --attribute both --confirm: it names the cheapest layers to keep at 16 bits",
    .sources = "metrics, sections 1 and 4",
};

}  // namespace ckpt::rules
