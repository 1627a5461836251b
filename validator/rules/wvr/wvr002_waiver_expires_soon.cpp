#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kWVR002;
const Rule kWVR002{
    .code = "WVR002",
    .name = "waiver-expires-soon",
    .severity = results::Severity::info,
    .needs = Needs::settings,
    .what = "A waiver holds for more than two weeks.",
    .why = "The next run in CI may fail because of it.",
    .bad = "expires in 3 days",
    .good = "expires in 100 days",
    .fix = "mend the cause, or set a new date and say why",
    .sources = "interfaces, section 6",
};

}  // namespace ckpt::rules
