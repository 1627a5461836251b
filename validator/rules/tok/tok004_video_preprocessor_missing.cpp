#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace tok004 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty() || !in.config->vision) return;
  if (in.video_preprocessor_config.present || in.processor_config.present) return;
  Draft draft;
  draft.message = "`video_preprocessor_config.json` is missing";
  draft.subject = "video_preprocessor_config.json";
  draft.where.push_back(at_file("video_preprocessor_config.json"));
  draft.effects.push_back({"video input", results::LoaderState::does_not_load,
                           "videos cannot be prepared; vLLM may stop at start"});
  draft.fix = "copy the file from the base model";
  draft.edits.push_back(copy_from_base("video_preprocessor_config.json"));
  emit(std::move(draft));
}

}  // namespace tok004

extern const Rule kTOK004;
const Rule kTOK004{
    .code = "TOK004",
    .name = "video-preprocessor-missing",
    .severity = results::Severity::warning,
    .repairable = true,
    .what =
        "A vision-language repo has video_preprocessor_config.json, or the unified "
        "processor_config.json of transformers 5.",
    .why =
        "Without either, video input cannot be prepared; vLLM's processor of this family fails "
        "at start.",
    .bad = "preprocessor_config.json alone",
    .good = "preprocessor_config.json and video_preprocessor_config.json",
    .fix = "copy video_preprocessor_config.json from the base model",
    .sources = "loaders, section 6, TK004",
    .run = tok004::run,
};

}  // namespace ckpt::rules
