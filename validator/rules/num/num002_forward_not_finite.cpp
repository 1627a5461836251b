#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kNUM002;
const Rule kNUM002{
    .code = "NUM002",
    .name = "forward-not-finite",
    .severity = results::Severity::error,
    .needs = Needs::forward,
    .what = "The candidate's forward pass has no NaN or infinity where the reference is finite.",
    .why =
        "One non-finite value in a logit ruins the token; the first layer, op and token are"
        " named.",
    .bad = "NaN in layer 12, expert 171",
    .good = "all finite",
    .fix = "look at the scales of the module named",
    .sources = "metrics, sections 1 and 4",
};

}  // namespace ckpt::rules
