#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt029 {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::compressed_tensors)) return;
  const config::QuantConfig& q = *in.config->quant;
  const config::Pattern* cls = nullptr;
  for (const config::ConfigGroup& g : q.groups) {
    for (const config::Pattern& t : g.targets) {
      if (t.text == "Linear") cls = &t;
    }
  }
  const loaders::LoadPlan* a = plan_of(in, loaders::Loader::sglang);
  const loaders::LoadPlan* b = plan_of(in, loaders::Loader::vllm);
  if (cls == nullptr || a == nullptr || b == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.blueprint->modules().size(); ++i) {
    const loaders::Decision* x = a->decision(i);
    const loaders::Decision* y = b->decision(i);
    if (x == nullptr || y == nullptr || !x->quantized || !y->quantized) continue;
    if (x->bits != y->bits || x->group_size != y->group_size) found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message =
      fmt::format("in sglang the class `Linear` decides for {} modules that a pattern names",
                  with_commas(found.size()));
  draft.subject = "Linear";
  draft.count = found.size();
  draft.where.push_back(at_json(q.file, q.pointer + "/config_groups", cls->place));
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "replace the class target by patterns";
  emit(std::move(draft));
}

}  // namespace qnt029

extern const Rule kQNT029;
const Rule kQNT029{
    .code = "QNT029",
    .name = "class-target-with-patterns",
    .severity = results::Severity::warning,
    .what =
        "A class target (`Linear`) does not stand beside patterns that give members of fused "
        "modules another scheme.",
    .why =
        "In SGLang the class wins over a pattern written for members of a fused module; vLLM "
        "and transformers let the pattern win. llm-compressor recipes often have both.",
    .bad = "\"Linear\" at 8 bits and \"re:.*[qkv]_proj$\" at 4 bits",
    .good = "patterns only",
    .fix = "replace the class target by patterns",
    .sources = "loaders 4 (ran), section 5, QC022",
    .run = qnt029::run,
};

}  // namespace ckpt::rules
