#include "validator/rules/places.h"

namespace ckpt::rules {
namespace {

/// Gates are judged where the metrics are made (pipeline/gates.cpp), which emits with this code.
void run(const RuleInput&, const Emit&) {}

}  // namespace

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
    .run = run,
};

}  // namespace ckpt::rules
