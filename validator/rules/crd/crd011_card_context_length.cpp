#include <fmt/format.h>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd011 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported) return;
  const config::TextConfig& t = in.config->text;
  double limit = static_cast<double>(t.max_position_embeddings);
  if (t.rope.type == "yarn") limit = std::max(limit, t.rope.factor * t.rope.original_max_position);
  for (const repo::CardRow& row : in.card->rows) {
    if (row.label != "context" && row.label != "context length" && row.label != "max context")
      continue;
    const auto numbers = stated(row);
    if (!numbers || *numbers <= 1.05 * limit) continue;
    emit(contradiction(
        in, row.line,
        fmt::format("the card says a context of {}, the config gives {}", *numbers, limit),
        "context"));
  }
}

}  // namespace crd011

extern const Rule kCRD011;
const Rule kCRD011{
    .code = "CRD011",
    .name = "card-context-length",
    .severity = results::Severity::warning,
    .what = "The context length that the card states is at most what the config gives.",
    .why =
        "Beyond `max_position_embeddings` an engine refuses, unless the rotary scaling for it "
        "is in the config: a flag in an example is not.",
    .bad = "| Max context | 1,048,576 tokens | over \"max_position_embeddings\": 262144",
    .good = "| Max context | 262,144 tokens |",
    .fix = "write the config's length, or put the scaling into `rope_parameters`",
    .sources = "card 004; loaders DOC005",
    .run = crd011::run,
};

}  // namespace ckpt::rules
