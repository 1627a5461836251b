#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt008 {

void run(const RuleInput& in, const Emit& emit) {
  report_mismatch(in, emit,
                  {.field = "bits",
                   .differs = [](const quant::Stored& s, const loaders::Decision& d,
                                 const Shape&) { return s.bits != 0 && s.bits != d.bits; },
                   .message =
                       [](std::size_t n, const quant::Stored& s, const loaders::Decision& d) {
                         return fmt::format("{} modules are packed in {} bits, the config says {}",
                                            with_commas(n), s.bits, d.bits);
                       },
                   .stored_value = [](const quant::Stored& s) { return std::int64_t{s.bits}; }});
}

}  // namespace qnt008

extern const Rule kQNT008;
const Rule kQNT008{
    .code = "QNT008",
    .name = "bits-contradict-words",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "The width in the config is the one the packed words have.",
    .why =
        "Loaders allocate parameters by the config: vLLM and SGLang stop on the shape, "
        "transformers replaces the parameter and fails, or is wrong, in the forward pass.",
    .bad = "\"bits\": 8 over 4-bit words",
    .good = "config and shapes agree",
    .fix = "write the stored value into the config",
    .sources = "loaders, section 1; formats, section 7",
    .run = qnt008::run,
};

}  // namespace ckpt::rules
