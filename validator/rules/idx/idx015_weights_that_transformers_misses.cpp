#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace idx015 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty() || in.checkpoint->index()) return;
  const auto& shards = in.checkpoint->shards();
  if (shards.empty() || in.repo->find("model.safetensors.index.json") != nullptr) return;
  const bool usual = in.repo->find("model.safetensors") != nullptr;
  Draft draft;
  draft.count = 0;
  const auto& tensors = in.checkpoint->tensors();
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    if (shards[tensors[i].shard].name == "model.safetensors") continue;
    // The class drops mtp.* on every load, so losing them changes nothing.
    if (usual && std::string_view(tensors[i].name).starts_with("mtp.")) continue;
    if (draft.count++ == 0) draft.subject = shown(shards[tensors[i].shard].name);
    if (draft.where.size() < 20) add_tensors(in, {i}, draft);
  }
  if (draft.count == 0) return;
  draft.message =
      usual ? fmt::format("{} tensors lie outside `model.safetensors`, and no index names them",
                          with_commas(draft.count))
            : std::string("no `model.safetensors` and no index: transformers finds no weights");
  draft.effects.push_back(
      {"transformers",
       usual ? results::LoaderState::wrong_weights : results::LoaderState::does_not_load,
       usual ? "newly initialised, no error" : "OSError: no file named model.safetensors"});
  draft.fix = "write an index, and name the files `model-0000x-of-0000y.safetensors`";
  emit(std::move(draft));
}

}  // namespace idx015

extern const Rule kIDX015;
const Rule kIDX015{
    .code = "IDX015",
    .name = "weights-that-transformers-misses",
    .severity = results::Severity::error,
    .what = "Without an index all tensors lie in `model.safetensors`.",
    .why =
        "transformers opens `model.safetensors` or the files of `model.safetensors.index.json`,"
        " nothing else. Further files beside `model.safetensors` are dropped without a word and"
        " their tensors newly initialised; without either name loading stops. vLLM and SGLang "
        "open every .safetensors file, so the repo seems sound there.",
    .bad = "model.safetensors and visual.safetensors, no index",
    .good = "both, and model-00001-of-00002 names with an index",
    .fix = "write an index, and name the files model-0000x-of-0000y.safetensors",
    .sources = "transformers 5.17, modeling_utils.py; loaders 3.4, section 6",
    .run = idx015::run,
};

}  // namespace ckpt::rules
