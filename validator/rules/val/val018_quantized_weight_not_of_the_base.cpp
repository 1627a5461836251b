#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/base_facts.h"

namespace ckpt::rules {
namespace val018 {

/// AutoRound and GPTQ move single codes, and GPTQ whole columns; a quarter of all beyond a step is
/// another weight.
constexpr double kMostBeyond = 0.25;
constexpr double kOther = 0.8;  // 2-bit quantization stays below 0.6, unrelated weights reach 1.4

bool other(const BaseFact& f) {
  return f.packed && !(f.error <= kOther);
}

void run(const RuleInput& in, const Emit& emit) {
  const auto module = [&in](std::uint32_t m) { return shown(in.blueprint->modules()[m].name, 60); };
  report_base_facts(
      in, emit,
      {.wrong = other,
       .message =
           [&](const BaseFact& f, std::size_t n) {
             return f.holds >= 0
                        ? fmt::format("{} quantized modules hold another module's weights", n)
                        : fmt::format("{} quantized modules are not the base's, error {:.2f}", n,
                                      f.error);
           },
       .effects = {{"all", results::LoaderState::wrong_output, "computes with other weights"}},
       .fix = "name the right base, or quantize these modules again",
       .severity = {}});
  report_base_facts(
      in, emit,
      {.wrong =
           [](const BaseFact& f) {
             return f.packed && !other(f) &&
                    static_cast<double>(f.beyond) > kMostBeyond * static_cast<double>(f.elements);
           },
       .message =
           [&](const BaseFact& f, std::size_t n) {
             return fmt::format(
                 "{} modules: {:.0f} % of values are more than a step off, first `{}`", n,
                 100 * static_cast<double>(f.beyond) / static_cast<double>(f.elements),
                 module(f.module).substr(0, 20));
           },
       .effects = {},
       .fix = "compare with `kl`; quantize again when the scales are wrong",
       .severity = results::Severity::warning});
}

}  // namespace val018

extern const Rule kVAL018;
const Rule kVAL018{
    .code = "VAL018",
    .name = "quantized-weight-not-of-the-base",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what = "Every quantized module decodes to the weights of the same module of the base.",
    .why =
        "Codes differ from the base by a fraction of a step (AutoRound and GPTQ move some "
        "further). A relative error above 0.8 is another matrix: the wrong base, experts in "
        "another order, gate and up exchanged, or zero points of the other convention. "
        "Loaders cannot notice; the output is noise.",
    .bad = "experts.3.up_proj that decodes to the base's experts.3.gate_proj",
    .good = "a relative error of 0.1 at 4 bits",
    .fix = "name the right base, or quantize these modules again",
    .sources = "formats 3.4; loaders NUM009",
    .run = val018::run,
};

}  // namespace ckpt::rules
