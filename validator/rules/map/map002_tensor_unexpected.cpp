#include "validator/rules/map/layers.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace map002 {

bool explained(const RuleInput& in, const quant::Stranger& s, bool counts_differ,
               const std::set<int>& wrong_kind) {
  const arch::Placement& p = s.placement;
  const std::string_view name = in.checkpoint->tensors()[s.tensor].name;
  if (name.starts_with("mtp.")) return true;  // MAP009
  if (name == "lm_head.weight" && in.config->text.tie_word_embeddings) return true;
  if (name.find("_attn.") != std::string_view::npos && wrong_kind.contains(p.layer)) {
    return true;  // MAP023
  }
  return counts_differ && p.text && p.spelling != arch::Spelling::plain && p.expert >= 0;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::uint64_t on_disk = 0;
  const bool counts_differ =
      expert_count_differs(in, on_disk) || !layers_with_other_counts(in).empty();
  const std::set<int> wrong_kind = layers_of_wrong_kind(in);
  Draft draft;
  draft.count = 0;
  for (const quant::Stranger& s : in.stored->strangers) {
    if (explained(in, s, counts_differ, wrong_kind)) continue;
    if (draft.count++ == 0) draft.subject = shown(in.checkpoint->tensors()[s.tensor].name);
    add_place(draft, at_tensor(in, s.tensor));
  }
  if (draft.count == 0) return;
  // A name with look-alike letters must not look like the one it imitates.
  const std::string first =
      shown_ascii(in.checkpoint->tensors()[in.stored->strangers[0].tensor].name);
  draft.message =
      draft.count == 1
          ? fmt::format("`{}` has no place in the architecture", draft.subject)
          : fmt::format("{} tensors have no place in the architecture", with_commas(draft.count));
  if (first != draft.subject && !draft.where.empty()) draft.where[0].note = first;
  draft.effects = {
      {"vllm", results::LoaderState::does_not_load,
       "ValueError: there is no module or parameter of this name"},
      {"transformers", results::LoaderState::wrong_weights, "ignores the tensor"},
      {"sglang", results::LoaderState::wrong_weights, "drops the tensor with a line in the log"}};
  draft.fix = "rename the tensor to what the architecture asks for, or remove it";
  emit(std::move(draft));
}

}  // namespace map002

extern const Rule kMAP002;
const Rule kMAP002{
    .code = "MAP002",
    .name = "tensor-unexpected",
    .severity = results::Severity::error,
    .what = "Every stored tensor has a place in the architecture.",
    .why =
        "vLLM stops at an unknown name (\"There is no module or parameter named\"); "
        "transformers and SGLang drop the tensor, so what it should have filled stays "
        "random.",
    .bad = "model.layers.0.mlp.exprts.0.gate_proj.weight",
    .good = "model.layers.0.mlp.experts.0.gate_proj.weight",
    .fix = "rename or remove the tensor",
    .sources = "loaders 2.7; architecture 2",
    .run = map002::run,
};

}  // namespace ckpt::rules
