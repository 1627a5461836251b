#include <fmt/format.h>

#include <algorithm>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd015 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr) return;
  std::string missing;
  std::size_t n = 0;
  for (const char* key :
       {"base_model", "base_model_relation", "license", "library_name", "pipeline_tag"}) {
    const bool has =
        std::ranges::any_of(in.card->front_matter, [key](const auto& f) { return f.first == key; });
    if (has) continue;
    missing += fmt::format("{}{}", n++ == 0 ? "" : ", ", key);
  }
  if (n == 0) return;
  Draft draft;
  draft.message = fmt::format("the card's front matter lacks {}", missing);
  draft.subject = "front matter";
  draft.count = n;
  draft.where.push_back(at_card(in, 1));
  draft.fix = "add the fields";
  emit(std::move(draft));
}

}  // namespace crd015

extern const Rule kCRD015;
const Rule kCRD015{
    .code = "CRD015",
    .name = "card-front-matter-incomplete",
    .severity = results::Severity::info,
    .what =
        "A card has front matter with `base_model`, `base_model_relation`, `license`, "
        "`library_name` and `pipeline_tag`.",
    .why = "The hub links a quantized repo to its base, and people find it, by these fields alone.",
    .bad = "a README.md without front matter",
    .good = "base_model: Qwen/Qwen3.6-35B-A3B, base_model_relation: quantized, license: apache-2.0",
    .fix = "add the fields",
    .sources = "interfaces, section 10; loaders DOC010",
    .run = crd015::run,
};

}  // namespace ckpt::rules
