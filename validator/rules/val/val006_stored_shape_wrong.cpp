#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val006 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<bool> wrong(in.checkpoint->tensors().size());
  Shape want;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const std::int32_t t = in.stored->modules[i].at(quant::Member::weight_shape);
    const ValueFact* f = fact_of(in, t);
    const Shape& shape = in.blueprint->modules()[i].shape;
    if (f == nullptr || f->stored_rows < 0 || shape.size() != 2) continue;
    if (f->stored_rows == static_cast<std::int64_t>(shape[0]) &&
        f->stored_columns == static_cast<std::int64_t>(shape[1])) {
      continue;
    }
    if (want.empty()) want = shape;
    wrong[static_cast<std::size_t>(t)] = true;
  }
  report_facts(in, emit,
               {.wrong = [&wrong](const ValueFact& f) { return wrong[f.tensor]; },
                .message =
                    [&want](const ValueFact& f) {
                      return fmt::format("`weight_shape` says [{}, {}], the module is [{}]",
                                         f.stored_rows, f.stored_columns, fmt::join(want, ", "));
                    },
                .effects = {{"transformers", results::LoaderState::wrong_output,
                             "unpacks the words to another shape"}},
                .fix = "write the shape of the module into `weight_shape`"});
}

}  // namespace val006

extern const Rule kVAL006;
const Rule kVAL006{
    .code = "VAL006",
    .name = "stored-shape-wrong",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "`weight_shape` of a compressed-tensors module is the shape the architecture gives it.",
    .why =
        "compressed-tensors unpacks to this shape: with a wrong one transformers makes a weight"
        " of other size, or cuts columns off; vLLM reads it and ignores it.",
    .bad = "weight_shape [32, 24] for a [32, 32] module",
    .good = "weight_shape [32, 32]",
    .fix = "write the shape of the module",
    .sources = "formats 5.2; loaders SH005",
    .run = val006::run,
};

}  // namespace ckpt::rules
