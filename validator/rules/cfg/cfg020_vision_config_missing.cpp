#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace cfg020 {

void run(const RuleInput& in, const Emit& emit) {
  const config::ModelConfig& c = *in.config;
  if (!c.supported || !c.nested || c.vision ||
      c.model_class != config::ModelClass::conditional_generation) {
    return;
  }
  Draft draft;
  draft.message = "the class has a vision tower, config.json no `vision_config`";
  draft.subject = "vision_config";
  draft.where.push_back(at_json("config.json", "", config_root(in)));
  draft.effects =
      every_loader(results::LoaderState::does_not_load, "builds the tower from defaults");
  draft.effects[1].state = results::LoaderState::wrong_weights;
  draft.fix = "copy `vision_config` from the base model";
  emit(std::move(draft));
}

}  // namespace cfg020

extern const Rule kCFG020;
const Rule kCFG020{
    .code = "CFG020",
    .name = "vision-config-missing",
    .severity = results::Severity::error,
    .what = "A ForConditionalGeneration class has a `vision_config`.",
    .why =
        "Without one every loader builds the vision tower from its defaults, whose sizes are "
        "those of another model: tensors do not fit, or stay random.",
    .bad = "text_config alone under Qwen3_5MoeForConditionalGeneration",
    .good = "text_config and vision_config of the base model",
    .fix = "copy vision_config from the base model, or use the CausalLM class",
    .sources = "architecture 2.1; loaders CFG002",
    .run = cfg020::run,
};

}  // namespace ckpt::rules
