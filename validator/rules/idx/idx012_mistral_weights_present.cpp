#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace idx012 {

void run(const RuleInput& in, const Emit& emit) {
  for (const repo::Entry& e : in.repo->entries()) {
    if (!e.name.starts_with("consolidated") || !e.name.ends_with(".safetensors")) continue;
    Draft draft;
    draft.message = "`" + shown(e.name, 50) + "` makes vLLM choose the Mistral loader";
    draft.subject = shown(e.name);
    draft.where.push_back(at_file(e.name));
    draft.effects = {
        {"vllm", results::LoaderState::does_not_load, "`--load-format auto` becomes `mistral`"}};
    draft.fix = "remove or rename the file";
    emit(std::move(draft));
    return;
  }
}

}  // namespace idx012

extern const Rule kIDX012;
const Rule kIDX012{
    .code = "IDX012",
    .name = "mistral-weights-present",
    .severity = results::Severity::error,
    .what = "No file of the repo is named consolidated*.safetensors.",
    .why =
        "With one present, vLLM's `--load-format auto` takes the repo for Mistral's own format "
        "and looks for other files and names.",
    .bad = "consolidated.safetensors beside the shards",
    .good = "model-00001-of-00002.safetensors and its index",
    .fix = "remove or rename the file",
    .sources = "vLLM 0.33 weight_utils (read); loaders IX009, section 6",
    .run = idx012::run,
};

}  // namespace ckpt::rules
