#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kNUM003;
const Rule kNUM003{
    .code = "NUM003",
    .name = "agreement-below-gate",
    .severity = results::Severity::error,
    .needs = Needs::forward,
    .what =
        "Agreement with the reference (top-1, confident flips, perplexity, change of "
        "probability) stays within its gate.",
    .why = "As for NUM001, in the words a publisher promises.",
    .bad = "agreement.top1 0.91 with --gate 'agreement.top1>=0.95'",
    .good = "0.964",
    .fix = "keep the costliest layers or experts at more bits",
    .sources = "metrics, sections 1 and 4",
};

}  // namespace ckpt::rules
