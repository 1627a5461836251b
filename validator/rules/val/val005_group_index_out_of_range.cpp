#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val005 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(
      in, emit,
      {.wrong = [](const ValueFact& f) { return f.g_idx_out_of_range; },
       .message = [](const ValueFact&) -> std::string {
         return "`g_idx` names groups that do not exist";
       },
       .effects = every_loader(results::LoaderState::wrong_output, "reads outside the scales"),
       .fix = "quantize the module again"});
}

}  // namespace val005

extern const Rule kVAL005;
const Rule kVAL005{
    .code = "VAL005",
    .name = "group-index-out-of-range",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "Each entry of `g_idx` is a group that exists.",
    .why = "It is an index into memory: a kernel that does not check reads outside the scales.",
    .bad = "g_idx[5] = 400 with 4 groups",
    .good = "0 to groups - 1",
    .fix = "quantize the module again",
    .sources = "formats 3.5; hostile-inputs 4.11",
    .run = val005::run,
};

}  // namespace ckpt::rules
