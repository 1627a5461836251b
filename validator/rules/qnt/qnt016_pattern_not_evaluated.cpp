#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt016 {

void run(const RuleInput& in, const Emit& emit) {
  report_patterns(in, emit, loaders::PatternProblem::not_evaluated, "cannot be evaluated here",
                  "write plain names instead");
}

}  // namespace qnt016

extern const Rule kQNT016;
const Rule kQNT016{
    .code = "QNT016",
    .name = "pattern-not-evaluated",
    .severity = results::Severity::warning,
    .what = "Every pattern can be evaluated in linear time.",
    .why =
        "Look-around, back references or a huge automaton: what the loader will do with it "
        "cannot be predicted here, and it may take very long there.",
    .bad = "\"(?!x).*\"",
    .good = "\".*o_proj\"",
    .fix = "write plain names instead",
    .sources = "loaders 2.3; hostile-inputs 4.7",
    .run = qnt016::run,
};

}  // namespace ckpt::rules
