#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace map009 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || in.checkpoint->incomplete()) return;
  std::uint64_t stored = 0;
  std::int64_t missing_first = -1;
  std::uint64_t missing = 0;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.blueprint->modules()[i].cls != arch::ModuleClass::mtp) continue;
    if (in.stored->modules[i].format != quant::Format::absent) {
      ++stored;
    } else if (missing++ == 0) {
      missing_first = i;
    }
  }
  std::vector<std::uint32_t> strangers;
  for (const quant::Stranger& s : in.stored->strangers) {
    if (in.checkpoint->tensors()[s.tensor].name.starts_with("mtp.")) strangers.push_back(s.tensor);
  }
  if (missing == 0 && strangers.empty()) return;
  Draft draft;
  draft.subject = "mtp";
  const std::int64_t layers = in.config->text.mtp_num_hidden_layers;
  if (missing != 0) {
    draft.count = missing;
    draft.message =
        stored == 0
            ? fmt::format("`mtp_num_hidden_layers` is {}, no `mtp.*` tensor is stored", layers)
            : fmt::format("{} modules of the draft head are not stored", missing);
    draft.where.push_back(at_module(in, static_cast<std::uint32_t>(missing_first)));
  } else {
    draft.count = strangers.size();
    draft.message = fmt::format("{} `mtp.*` tensors have no place with `mtp_num_hidden_layers` {}",
                                strangers.size(), layers);
    add_tensors(in, strangers, draft);
  }
  draft.fix = "make `mtp_num_hidden_layers` and the `mtp.*` tensors agree";
  emit(std::move(draft));
}

}  // namespace map009

extern const Rule kMAP009;
const Rule kMAP009{
    .code = "MAP009",
    .name = "draft-head-contradicts-config",
    .severity = results::Severity::warning,
    .what =
        "`mtp.*` tensors are stored when `mtp_num_hidden_layers` is at least 1, and only "
        "then.",
    .why =
        "The main model drops them in all three loaders; speculative decoding with the "
        "draft head fails or is silently absent. llm-compressor loses these tensors unless "
        "they are copied.",
    .bad = "\"mtp_num_hidden_layers\": 1 and no mtp.* tensor",
    .good = "\"mtp_num_hidden_layers\": 0, or the 19 tensors of the head",
    .fix = "copy mtp.* from the base model, or write \"mtp_num_hidden_layers\": 0",
    .sources = "architecture 2.3, 5; loaders AR007",
    .run = map009::run,
};

}  // namespace ckpt::rules
