#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace idx005 {

/// Tensors transformers would miss: outside model.safetensors and wanted by the model class.
std::vector<std::uint32_t> hidden_tensors(const RuleInput& in) {
  std::vector<std::uint32_t> out;
  const auto& tensors = in.checkpoint->tensors();
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    if (in.checkpoint->shards()[tensors[i].shard].name == "model.safetensors") continue;
    // The class drops mtp.* on every load, so losing them changes nothing.
    if (!tensors[i].name.starts_with("mtp.")) out.push_back(i);
  }
  return out;
}

void run(const RuleInput& in, const Emit& emit) {
  if (!in.checkpoint->shadowed()) return;
  const std::vector<std::uint32_t> hidden = hidden_tensors(in);
  Draft draft;
  draft.subject = "model.safetensors";
  draft.message = fmt::format("`model.safetensors` shadows the index: {} tensors lie elsewhere",
                              with_commas(hidden.size()));
  draft.count = hidden.size();
  add_tensors(in, hidden, draft);
  if (hidden.empty()) {
    draft.count = 1;
    results::Location w;
    w.file = "model.safetensors";
    draft.where.push_back(std::move(w));
    draft.severity = results::Severity::info;
    draft.message = "`model.safetensors` shadows the index, only `mtp.*` tensors lie elsewhere";
  } else {
    draft.effects.push_back({"transformers", results::LoaderState::wrong_weights,
                             "ignores the index: these tensors are newly initialised, no error"});
  }
  draft.fix = "rename `model.safetensors` to `model-00001-of-0000N.safetensors`, in the index too";
  emit(std::move(draft));
}

}  // namespace idx005

extern const Rule kIDX005;
const Rule kIDX005{
    .code = "IDX005",
    .name = "index-shadowed-by-single-file",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "No model.safetensors stands beside an index that names other files too.",
    .why =
        "transformers 5.17 reads model.safetensors and ignores the index: all tensors in "
        "the other files are newly initialised, without an error. vLLM and SGLang follow "
        "the index. This is the layout of a 130 GB repo whose 333 vision tensors lay in a "
        "second file.",
    .bad = "model.safetensors, visual.safetensors and model.safetensors.index.json",
    .good = "model-00001-of-00002.safetensors, model-00002-of-00002.safetensors and the index",
    .fix = "rename model.safetensors to model-00001-of-0000N.safetensors, in the index too",
    .sources = "transformers 5.17, modeling_utils.py (ran); loaders, section 3.4",
    .run = idx005::run,
};

}  // namespace ckpt::rules
