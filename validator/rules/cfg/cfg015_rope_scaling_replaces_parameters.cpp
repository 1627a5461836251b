#include <fmt/format.h>

#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace cfg015 {

/// The fields of `scaling` in `parameters`, and `scaling` gone: what the file was meant to say.
std::vector<results::Edit> moved(const json::Value& scaling, const json::Value& parameters) {
  std::vector<results::Edit> edits;
  std::vector<NewMember> added;
  scaling.each_member([&](const json::Member& m) {
    const std::string name = m.name == "type" ? "rope_type" : std::string(m.name);
    const json::Value old = parameters.find(name);
    if (old) {
      edits.push_back(replace_value("config.json", old, std::string(m.value.raw())));
    } else {
      added.emplace_back(name, std::string(m.value.raw()));
    }
  });
  if (!added.empty()) edits.push_back(add_members("config.json", parameters, added));
  edits.push_back(replace_value("config.json", scaling, "null"));
  return edits;
}

void report(const Emit& emit, std::string message, results::Location place, results::Effect effect,
            std::vector<results::Edit> edits = {}) {
  Draft draft;
  draft.edits = std::move(edits);
  draft.message = std::move(message);
  draft.subject = "rope_scaling";
  draft.where.push_back(std::move(place));
  draft.effects = {effect};
  draft.effects.push_back({"vllm", effect.state, effect.text});
  draft.fix = "move the fields into `rope_parameters` of the text config";
  emit(std::move(draft));
}

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const json::Value text = text_object(in);
  const json::Value scaling = text.find("rope_scaling");
  const auto theta = text.find("rope_parameters").find("rope_theta").number();
  if (scaling.is(json::Kind::object) && theta && *theta != in.config->text.rope.theta) {
    report(emit,
           fmt::format("`rope_scaling` replaces `rope_theta` {} by {}", *theta,
                       in.config->text.rope.theta),
           at_text_field(in, "rope_scaling"),
           {"transformers", results::LoaderState::wrong_output, "rotates with another base"},
           moved(scaling, text.find("rope_parameters")));
  }
  const json::Value top = config_root(in).find("rope_scaling");
  // Whether anybody wants the scaling that nothing has read so far, the files do not say.
  if (in.config->nested && top.is(json::Kind::object)) {
    report(emit, "`rope_scaling` stands at the top of a nested config, where nothing reads it",
           at_json("config.json", "/rope_scaling", top),
           {"transformers", results::LoaderState::wrong_output, "runs without the scaling"});
  }
}

}  // namespace cfg015

extern const Rule kCFG015;
const Rule kCFG015{
    .code = "CFG015",
    .name = "rope-scaling-replaces-parameters",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "`rope_scaling` does not hide the base frequency of `rope_parameters`, and stands where"
        " it is read.",
    .why =
        "transformers 5.17 lets `rope_scaling` replace `rope_parameters` whole: without its own"
        " `rope_theta` the base becomes 10000 and long texts break. At the top of a nested "
        "config it is not read at all, or raises (the same holds for `--hf-overrides "
        "'{\"rope_scaling\": ...}'`).",
    .bad =
        "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0} beside "
        "\"rope_parameters\": {\"rope_theta\": 10000000}",
    .good = "the yarn fields inside \"rope_parameters\"",
    .fix = "move the fields of `rope_scaling` into `rope_parameters` of the text config",
    .sources = "architecture 1.3; loaders CFG007; card 004",
    .run = cfg015::run,
};

}  // namespace ckpt::rules
