#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt019 {

void run(const RuleInput& in, const Emit& emit) {
  report_raises(in, emit, true, "choose a scheme that has a kernel, or serve with another loader");
}

}  // namespace qnt019

extern const Rule kQNT019;
const Rule kQNT019{
    .code = "QNT019",
    .name = "scheme-without-kernel",
    .severity = results::Severity::info,
    .what = "Each scheme has a kernel in every predicted loader.",
    .why =
        "vLLM takes dense GPTQ-layout layers of 4 and 8 bits only symmetric and in groups of -1, "
        "32, "
        "64 or 128 (Marlin), and stops with NotImplementedError otherwise; experts fall back to a "
        "slow "
        "path. Kernel limits change with version and hardware: information, not an error.",
    .bad = "\"sym\": false with auto_round:auto_gptq packing",
    .good = "\"sym\": true, \"group_size\": 128",
    .fix = "choose a scheme that has a kernel, or serve with another loader",
    .sources = "loaders 2.3, 2.8 (ran)",
    .run = qnt019::run,
};

}  // namespace ckpt::rules
