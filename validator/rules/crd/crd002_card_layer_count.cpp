#include <fmt/format.h>

#include <algorithm>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd002 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported) return;
  const auto& types = in.config->text.layer_types;
  const auto layers = static_cast<std::int64_t>(types.size());
  const std::int64_t full = std::ranges::count(types, config::LayerType::full_attention);
  const auto compare = [&](std::uint32_t line, std::optional<double> claimed, std::int64_t actual,
                           const char* what) {
    if (!claimed || *claimed == static_cast<double>(actual)) return;
    emit(contradiction(
        in, line, fmt::format("the card says {} {}, the config has {}", *claimed, what, actual),
        what));
  };
  for (const repo::CardRow& row : in.card->rows) {
    if (row.label == "layers" || row.label == "hidden layers" || row.label == "number of layers") {
      const auto numbers = stated(row);
      if (numbers) compare(row.line, *numbers, layers, "layers");
    } else if (row.label != "layer types") {
      continue;
    }
    for (const char* word : {"linear", "gated delta"}) {
      compare(row.line, number_before(row.value, word), layers - full, "linear attention layers");
    }
    compare(row.line, number_before(row.value, "full"), full, "full attention layers");
  }
  if (!in.config->text.moe) return;
  for (const repo::CardLine& line : in.card->lines) {
    if (line.plain.find("moe layers") == std::string::npos) continue;
    compare(line.number, number_before(line.plain, "moe layers"), layers, "MoE layers");
  }
}

}  // namespace crd002

extern const Rule kCRD002;
const Rule kCRD002{
    .code = "CRD002",
    .name = "card-layer-count",
    .severity = results::Severity::warning,
    .what =
        "The numbers of layers, of linear and full attention layers, and of MoE layers that the"
        " card states are those of the config.",
    .why =
        "Such numbers go into memory estimates and recipes. In this family every layer is a MoE"
        " layer, whatever its attention: \"30 MoE layers\" in a model of 40 counts the wrong "
        "thing.",
    .bad = "256 experts x 30 MoE layers, in a model of 40 layers",
    .good = "256 experts x 40 MoE layers",
    .fix = "correct the card",
    .sources = "card 004; loaders DOC002",
    .run = crd002::run,
};

}  // namespace ckpt::rules
