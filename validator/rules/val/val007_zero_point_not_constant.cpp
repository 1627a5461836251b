#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/quant/codec.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val007 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant) return;
  const config::QuantConfig& q = *in.config->quant;
  if (!q.sym.value_or(q.method == config::QuantMethod::auto_round)) return;
  std::vector<bool> wrong(in.checkpoint->tensors().size());
  bool other_convention = true;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    const ValueFact* f = fact_of(in, s.at(quant::Member::qzeros));
    const loaders::Decision* d = in.intent->predicted ? in.intent->decision(i) : nullptr;
    if (f == nullptr || f->code_bits == 0 || (d != nullptr && !d->sym)) continue;
    const bool plainly = s.format == quant::Format::awq || quant::stores_zero_plainly(q);
    if ((plainly ? f->zeros_v2 : f->zeros_v1) == f->elements) continue;
    other_convention = other_convention && (plainly ? f->zeros_v1 : f->zeros_v2) == f->elements;
    wrong[f->tensor] = true;
  }
  report_facts(
      in, emit,
      {.wrong = [&wrong](const ValueFact& f) { return wrong[f.tensor]; },
       .message =
           [&](const ValueFact& f) {
             if (other_convention) {
               return fmt::format("zero points are stored as v{}, the config says v{}",
                                  f.zeros_v2 != 0 ? 2 : 1, f.zeros_v2 != 0 ? 1 : 2);
             }
             return fmt::format("{} of {} words of zero points differ from the symmetric constant",
                                with_commas(f.elements - std::max(f.zeros_v1, f.zeros_v2)),
                                with_commas(f.elements));
           },
       .effects = {{"transformers", results::LoaderState::wrong_output,
                    "subtracts the stored zero points: weights off by whole steps"}},
       .fix = "rewrite `qzeros` in the declared convention, or declare the one they are in"});
}

}  // namespace val007

extern const Rule kVAL007;
const Rule kVAL007{
    .code = "VAL007",
    .name = "zero-point-not-constant",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what =
        "A symmetric file stores one constant zero point, in the convention (v1: less one, v2: "
        "as it is) that its config declares.",
    .why =
        "Marlin kernels ignore the zeros of symmetric files, the torch kernels of transformers "
        "use them. With v2 words in a v1 file vLLM is unchanged and transformers is wrong (KL "
        "0.04 to 0.06 on small models).",
    .bad = "qzeros 0x88888888 with \"packing_format\": \"auto_round:auto_gptq\"",
    .good = "qzeros 0x77777777",
    .fix = "rewrite the zeros in the declared convention",
    .sources = "formats 3.3 (ran); golden loads; loaders SH008",
    .run = val007::run,
};

}  // namespace ckpt::rules
