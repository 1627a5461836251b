#include <fmt/format.h>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd010 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || in.stored == nullptr || in.checkpoint->incomplete()) return;
  double actual = 0;
  for (std::size_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.stored->modules[i].format == quant::Format::absent) continue;
    actual += static_cast<double>(element_count(in.blueprint->modules()[i].shape).value_or(0));
  }
  for (const repo::CardRow& row : in.card->rows) {
    if (row.label != "total parameters" && row.label != "parameters" && row.label != "total params")
      continue;
    const auto numbers = stated(row);
    if (!numbers || (*numbers >= 0.9 * actual && *numbers <= 1.1 * actual)) continue;
    emit(contradiction(in, row.line,
                       fmt::format("the card says {:.4g} billion parameters, {:.4g} are stored",
                                   *numbers / 1e9, actual / 1e9),
                       "total parameters"));
  }
}

}  // namespace crd010

extern const Rule kCRD010;
const Rule kCRD010{
    .code = "CRD010",
    .name = "card-parameter-count",
    .severity = results::Severity::warning,
    .what =
        "The total number of parameters that the card states is within a tenth of the one "
        "stored.",
    .why =
        "After pruning the name of the base often stays. The hub's own figure counts packed "
        "words, so the card is the only place to read the true number.",
    .bad = "| Total Parameters | 35B | over 26.9 billion weights",
    .good = "| Total Parameters | ~27B |",
    .fix = "write the number of weights that the packed tensors hold",
    .sources = "card 000; loaders DOC002",
    .run = crd010::run,
};

}  // namespace ckpt::rules
