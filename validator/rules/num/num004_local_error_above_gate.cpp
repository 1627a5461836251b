#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kNUM004;
const Rule kNUM004{
    .code = "NUM004",
    .name = "local-error-above-gate",
    .severity = results::Severity::error,
    .needs = Needs::forward,
    .what = "The local error of every layer or expert stays within its gate.",
    .why =
        "One expert far worse than its siblings was quantized badly, often because "
        "calibration never routed to it.",
    .bad = "experts.max_error 0.39 with --gate 'experts.max_error<=0.35'",
    .good = "0.12",
    .fix = "quantize that expert again with more tokens, or at more bits",
    .sources = "metrics, sections 1 and 4",
};

}  // namespace ckpt::rules
