#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map014 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.blueprint_error.empty() || !in.config->supported) return;
  Draft draft;
  draft.message = in.blueprint_error;
  draft.subject = "config.json";
  draft.where.push_back(at_json("config.json", "",
                                in.config->document ? in.config->document->root() : json::Value{}));
  draft.effects =
      every_loader(results::LoaderState::wrong_weights, "builds far more than is stored");
  draft.fix = "write the counts of the stored model";
  emit(std::move(draft));
}

}  // namespace map014

extern const Rule kMAP014;
const Rule kMAP014{
    .code = "MAP014",
    .name = "config-larger-than-checkpoint",
    .severity = results::Severity::error,
    .what = "The config does not describe many times more modules than there are tensors.",
    .why =
        "Nothing that the config claims is believed before something on disk backs it: a "
        "config of a thousand million experts costs what its few bytes cost.",
    .bad = "\"num_experts\": 1000000 over 500 tensors",
    .good = "counts that fit the stored tensors",
    .fix = "write the counts of the stored model",
    .sources = "hostile-inputs, section 2",
    .run = map014::run,
};

}  // namespace ckpt::rules
