#include "validator/rules/edits.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace tok002 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty() || !in.config->vision) return;
  if (in.repo->find("preprocessor_config.json") != nullptr) return;
  const bool unified = in.repo->find("processor_config.json") != nullptr;
  Draft draft;
  draft.message = unified ? "`preprocessor_config.json` is missing, only the unified file is there"
                          : "`preprocessor_config.json` is missing";
  draft.subject = "preprocessor_config.json";
  results::Location w;
  w.file = "preprocessor_config.json";
  draft.where.push_back(std::move(w));
  draft.effects.push_back({"image input", results::LoaderState::does_not_load,
                           "images cannot be prepared; vLLM may stop at start"});
  draft.fix = "copy the file from the base model";
  draft.edits.push_back(copy_from_base("preprocessor_config.json"));
  emit(std::move(draft));
}

}  // namespace tok002

extern const Rule kTOK002;
const Rule kTOK002{
    .code = "TOK002",
    .name = "preprocessor-config-missing",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "A vision-language repo has preprocessor_config.json.",
    .why =
        "vLLM and transformers need it to prepare images; the model starts as text only, or"
        " not at all.",
    .bad = "a ForConditionalGeneration repo without preprocessor_config.json",
    .good = "the file of the base model",
    .fix = "copy preprocessor_config.json from the base model",
    .sources = "loaders, section 6, TK003",
    .run = tok002::run,
};

}  // namespace ckpt::rules
