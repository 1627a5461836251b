#include <fmt/format.h>

#include <algorithm>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd007 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported) return;
  const auto& types = in.config->text.layer_types;
  if (std::ranges::find(types, config::LayerType::linear_attention) == types.end()) return;
  for (const repo::CardLine& line : in.card->lines) {
    for (const char* words : {"fp16 activations", "float16 activations"}) {
      if (line.plain.find(words) == std::string::npos) continue;
      emit(contradiction(
          in, line.number,
          fmt::format("the card says \"{}\", linear attention overflows in float16", words),
          "activations"));
      return;
    }
  }
}

}  // namespace crd007

extern const Rule kCRD007;
const Rule kCRD007{
    .code = "CRD007",
    .name = "card-float16-activations",
    .severity = results::Severity::warning,
    .what = "The card does not promise float16 activations for a model that must run in BF16.",
    .why =
        "Gated DeltaNet states exceed 65504: in float16 the model answers NaN or `!!!!!!!`. A "
        "card that says \"FP16 activations\" leads users to `--dtype float16`.",
    .bad = "INT4 weights, FP16 activations (W4A16)",
    .good = "INT4 weights, BF16 activations (W4A16)",
    .fix = "write BF16 activations",
    .sources = "card 003; loaders DOC004, CFG003",
    .run = crd007::run,
};

}  // namespace ckpt::rules
