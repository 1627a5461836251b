#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kWVR001;
const Rule kWVR001{
    .code = "WVR001",
    .name = "waiver-expired",
    .severity = results::Severity::warning,
    .needs = Needs::settings,
    .what = "A waiver holds until its date.",
    .why = "What was accepted for a time counts again: the finding it covered affects the verdict.",
    .bad = "expires = 2026-01-31, today is 2026-11-21",
    .good = "expires = 2027-01-31",
    .fix = "decide again: mend the cause, or set a new date and say why",
    .sources = "interfaces, section 6",
};

}  // namespace ckpt::rules
