#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace map008 {

void run(const RuleInput& in, const Emit& emit) {
  report_spelling(in, emit, arch::Spelling::stacked, true,
                  "store each expert by itself (no code changes)");
}

}  // namespace map008

extern const Rule kMAP008;
const Rule kMAP008{
    .code = "MAP008",
    .name = "experts-stacked-quantized",
    .severity = results::Severity::error,
    .what = "Quantized experts are stored one linear each, not as stacked 3-D tensors.",
    .why =
        "Loaders map packed tensors per expert only; no loader has a name for "
        "`experts.gate_up_proj.qweight`.",
    .bad = "experts.gate_up_proj.qweight [E, K/8, 2I]",
    .good = "experts.{e}.gate_proj.qweight",
    .fix = "store each expert by itself (no code changes)",
    .sources = "card 001; loaders 2.7",
    .run = map008::run,
};

}  // namespace ckpt::rules
