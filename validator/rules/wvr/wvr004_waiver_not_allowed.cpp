#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kWVR004;
const Rule kWVR004{
    .code = "WVR004",
    .name = "waiver-not-allowed",
    .severity = results::Severity::warning,
    .needs = Needs::settings,
    .what = "No waiver names a rule that cannot be waived.",
    .why =
        "Findings about files that reach outside the repository are about safety; they count "
        "whatever a waiver says.",
    .bad = "code = \"IDX007\"",
    .good = "no such waiver",
    .fix = "remove the waiver and mend the repository",
    .sources = "interfaces, section 6",
};

}  // namespace ckpt::rules
