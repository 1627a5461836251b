#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kNUM006;
const Rule kNUM006{
    .code = "NUM006",
    .name = "super-expert-at-lowest-width",
    .severity = results::Severity::warning,
    .needs = Needs::forward,
    .what = "Experts with the largest outputs are stored wider than the narrowest experts.",
    .why =
        "The top 0.05 % of all routed experts by mean L2 norm of their output over the tokens "
        "routed to them carry far more than their share, and their loss at 4 bits is seen on every "
        "token that goes through them. Where a recipe stores some experts wider, the ones that "
        "this "
        "run detects should be among them. A recipe that stores all experts alike protects none "
        "and is not judged here; the results name the detected experts all the same.",
    .bad = "expert 171 of layer 12 detected, stored in 4 bits, others in 8",
    .good = "the detected experts in 8 bits",
    .fix = "add the detected experts to those that the recipe keeps wider",
    .sources = "card 004, the section on super-experts; loaders NUM025",
};

}  // namespace ckpt::rules
