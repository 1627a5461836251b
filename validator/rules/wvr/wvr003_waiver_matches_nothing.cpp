#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kWVR003;
const Rule kWVR003{
    .code = "WVR003",
    .name = "waiver-matches-nothing",
    .severity = results::Severity::warning,
    .needs = Needs::settings,
    .what = "Every waiver matches a finding.",
    .why = "A waiver left behind hides the same failure when it comes back, for another reason.",
    .bad = "code = \"QNT004\" and no such finding",
    .good = "the waiver is gone with its finding",
    .fix = "remove the waiver",
    .sources = "interfaces, section 6",
};

}  // namespace ckpt::rules
