#include <fmt/format.h>

#include <array>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd008 {

bool calls_it_the_router(std::string_view p) {
  if (p.find("shared_expert_gate") == std::string_view::npos) return false;
  // A line that also names the real router says which is which.
  if (p.find("mlp.gate") != std::string_view::npos) return false;
  return p.find("the moe router") != std::string_view::npos ||
         p.find("router gate tensors") != std::string_view::npos;
}

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported || !in.config->text.moe) return;
  bool engine = false;
  for (const repo::CardLine& line : in.card->lines) {
    if (calls_it_the_router(line.plain)) {
      emit(contradiction(in, line.number,
                         "the card calls `shared_expert_gate` the router, which is `mlp.gate`",
                         "shared_expert_gate"));
    }
    for (const char* name : {"in_proj_qkvz", "in_proj_ba"}) {
      if (engine || line.plain.find(name) == std::string::npos) continue;
      engine = true;
      Draft draft =
          contradiction(in, line.number,
                        fmt::format("the card names `{}`, a module of engines only", name), name);
      draft.severity = results::Severity::info;
      emit(std::move(draft));
    }
  }
}

}  // namespace crd008

extern const Rule kCRD008;
const Rule kCRD008{
    .code = "CRD008",
    .name = "card-names-wrong-module",
    .severity = results::Severity::warning,
    .what =
        "The card gives modules their own names: the router is `mlp.gate`, not "
        "`shared_expert_gate`; projections are named as in the files.",
    .why =
        "`shared_expert_gate` weighs the shared expert. A card that calls it the router makes "
        "readers believe that the routers are kept at 16 bits, or are not. Engine names "
        "(`in_proj_qkvz`, `in_proj_ba`) are nowhere in the files: information.",
    .bad = "skipped is mlp.shared_expert_gate, the MoE router",
    .good = "skipped are mlp.gate, the MoE router, and mlp.shared_expert_gate",
    .fix = "name the modules as the files do",
    .sources = "cards 002, 003, 004; architecture 2; loaders DOC008",
    .run = crd008::run,
};

}  // namespace ckpt::rules
