#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt015 {

void run(const RuleInput& in, const Emit& emit) {
  report_patterns(in, emit, loaders::PatternProblem::invalid, "is no regular expression",
                  "correct the pattern");
}

}  // namespace qnt015

extern const Rule kQNT015;
const Rule kQNT015{
    .code = "QNT015",
    .name = "pattern-invalid",
    .severity = results::Severity::error,
    .what = "Every pattern in the quantization config is a valid regular expression.",
    .why =
        "Loaders skip an invalid pattern without a word, so the module it should exclude is"
        " quantized, or the reverse.",
    .bad = "\".*[o_proj\"",
    .good = "\".*o_proj\"",
    .fix = "correct the pattern",
    .sources = "loaders 2.3; hostile-inputs 4.7",
    .run = qnt015::run,
};

}  // namespace ckpt::rules
