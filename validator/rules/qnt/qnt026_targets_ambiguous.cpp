#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt026 {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::compressed_tensors)) return;
  const loaders::LoadPlan* a = plan_of(in, loaders::Loader::vllm);
  const loaders::LoadPlan* b = plan_of(in, loaders::Loader::transformers);
  if (a == nullptr || b == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.blueprint->modules().size(); ++i) {
    // transformers has one scheme for all experts, whatever the targets say.
    if (in.blueprint->modules()[i].cls == arch::ModuleClass::routed_expert) continue;
    const loaders::Decision* x = a->decision(i);
    const loaders::Decision* y = b->decision(i);
    if (x == nullptr || y == nullptr || x->raises() || y->raises()) continue;
    if (x->quantized && y->quantized && x->entry != y->entry &&
        (x->bits != y->bits || x->group_size != y->group_size || x->sym != y->sym)) {
      found.push_back(i);
    }
  }
  if (found.empty()) return;
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message = fmt::format("{} modules match targets of two groups with different schemes",
                              with_commas(found.size()));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  draft.where.push_back(
      at_json(q.file, q.pointer + "/config_groups", q.block.value.find("config_groups")));
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "make the targets disjoint";
  emit(std::move(draft));
}

}  // namespace qnt026

extern const Rule kQNT026;
const Rule kQNT026{
    .code = "QNT026",
    .name = "targets-ambiguous",
    .severity = results::Severity::error,
    .what = "No module matches targets of two compressed-tensors groups with different schemes.",
    .why =
        "vLLM takes the first target in file order, compressed-tensors and transformers the "
        "first in alphabetical order: the same module gets two schemes, and one of them does "
        "not fit what is stored.",
    .bad = "\"re:.*self_attn.*\" at 8 bits before \"re:.*o_proj$\" at 4 bits",
    .good = "targets that do not overlap",
    .fix = "make the targets disjoint",
    .sources = "loaders 2.5 (ran), QC019; formats 5.1",
    .run = qnt026::run,
};

}  // namespace ckpt::rules
