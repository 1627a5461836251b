#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace map006 {

void run(const RuleInput& in, const Emit& emit) {
  std::uint64_t on_disk = 0;
  if (!expert_count_differs(in, on_disk)) return;
  const config::ModelConfig& c = *in.config;
  Draft draft;
  draft.message =
      fmt::format("`num_experts` is {}, every layer stores {}", c.text.num_experts, on_disk);
  draft.subject = c.text.pointer + "/num_experts";
  const json::Value root = c.document->root();
  const json::Value text = c.nested ? root.find("text_config") : root;
  draft.where.push_back(at_json("config.json", draft.subject, text.find("num_experts")));
  draft.effects = {{"vllm", results::LoaderState::does_not_load,
                    "an expert number without a place, or experts left uninitialised"},
                   {"transformers", results::LoaderState::wrong_weights,
                    "IndexError in the forward pass, or newly initialised experts"}};
  draft.fix = fmt::format("write {}", on_disk);
  draft.edits.push_back(
      replace_value("config.json", text.find("num_experts"), std::to_string(on_disk)));
  emit(std::move(draft));
}

}  // namespace map006

extern const Rule kMAP006;
const Rule kMAP006{
    .code = "MAP006",
    .name = "expert-count-differs",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "`num_experts` is the number of experts stored in every layer.",
    .why =
        "Pruning forgot the config, or the config was copied from the unpruned base. With "
        "too few in the config the forward pass raises IndexError or drops experts; with "
        "too many the rest is random.",
    .bad = "\"num_experts\": 256 over 192 stored experts",
    .good = "\"num_experts\": 192",
    .fix = "write the stored number",
    .sources = "loaders 3.1; architecture 8",
    .run = map006::run,
};

}  // namespace ckpt::rules
