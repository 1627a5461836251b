#include <fmt/format.h>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd001 {

void compare(const RuleInput& in, const Emit& emit, const repo::CardRow& row,
             std::optional<double> claimed, std::int64_t actual, const char* what) {
  if (!claimed || *claimed == static_cast<double>(actual)) return;
  emit(contradiction(in, row.line,
                     fmt::format("the card says {} {}, the config says {}", *claimed, what, actual),
                     fmt::format("{} {}", row.label, what)));
}

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported || !in.config->text.moe) return;
  const config::TextConfig& t = in.config->text;
  for (const repo::CardRow& row : in.card->rows) {
    const bool per_token = row.label.find("per token") != std::string::npos;
    const bool counts = row.label == "experts" || row.label == "moe config" ||
                        row.label == "num experts" ||
                        row.label.find("experts per layer") != std::string::npos;
    const auto numbers = stated(row);
    if (per_token && (row.label.find("expert") != std::string::npos ||
                      row.label.find("routed") != std::string::npos)) {
      if (numbers) compare(in, emit, row, *numbers, t.num_experts_per_tok, "experts per token");
    } else if (counts && numbers) {
      compare(in, emit, row, *numbers, t.num_experts, "experts");
      std::optional<double> top = number_before(row.value, "per token");
      if (!top) top = number_before(row.value, "routed");
      compare(in, emit, row, top, t.num_experts_per_tok, "experts per token");
    }
  }
}

}  // namespace crd001

extern const Rule kCRD001;
const Rule kCRD001{
    .code = "CRD001",
    .name = "card-expert-count",
    .severity = results::Severity::warning,
    .what =
        "The numbers of experts and of experts per token that the card states are those of the "
        "config.",
    .why =
        "A card copied from the unpruned base, or from a sibling, makes people plan for another"
        " model.",
    .bad = "| Experts per Layer | 256 | over 192 stored experts",
    .good = "| Experts per Layer | 192 |",
    .fix = "correct the card",
    .sources = "cards 000 to 004; loaders DOC002",
    .run = crd001::run,
};

}  // namespace ckpt::rules
