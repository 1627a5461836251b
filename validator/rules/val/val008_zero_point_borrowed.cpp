#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/quant/codec.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val008 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant) return;
  const config::QuantConfig& q = *in.config->quant;
  if (q.sym.value_or(true) || quant::stores_zero_plainly(q)) return;
  std::vector<bool> zeros(in.checkpoint->tensors().size());
  for (const quant::Stored& s : in.stored->modules) {
    const std::int32_t t = s.format == quant::Format::gptq ? s.at(quant::Member::qzeros) : -1;
    if (t >= 0) zeros[static_cast<std::size_t>(t)] = true;
  }
  report_facts(
      in, emit,
      {.wrong = [&zeros](const ValueFact& f) { return zeros[f.tensor] && f.highest_code > 0; },
       .message =
           [](const ValueFact& f) {
             return fmt::format("{} zero points are stored as {}: a borrow from the next",
                                with_commas(f.highest_code), (1U << f.code_bits) - 1);
           },
       .effects = every_loader(results::LoaderState::wrong_output,
                               "two columns per such zero decode wrongly"),
       .fix = "export again in a v2 format, or repair the borrow"});
}

}  // namespace val008

extern const Rule kVAL008;
const Rule kVAL008{
    .code = "VAL008",
    .name = "zero-point-borrowed",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "No zero point of an asymmetric v1 file is stored as 2^bits - 1.",
    .why =
        "v1 files store the zero point less one. A true zero of 0 cannot be written: the "
        "subtraction borrows from the next code of the word, so this column and the next one "
        "decode wrongly, in every loader.",
    .bad = "a stored 15 in the 4-bit qzeros of an asymmetric v1 file",
    .good = "stored zeros 0 to 14, or a v2 file",
    .fix = "export again as v2 (`auto_round`, `gptq_v2`)",
    .sources = "formats 3.3 (ran); loaders SH009",
    .run = val008::run,
};

}  // namespace ckpt::rules
