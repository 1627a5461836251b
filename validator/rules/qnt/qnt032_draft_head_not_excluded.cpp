#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt032 {

std::vector<std::string> regexes(const std::vector<config::Pattern>& patterns) {
  std::vector<std::string> out;
  for (const config::Pattern& p : patterns) {
    if (p.text.starts_with("re:")) out.push_back(p.text.substr(3));
  }
  return out;
}

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::compressed_tensors)) return;
  const config::QuantConfig& q = *in.config->quant;
  std::vector<config::Pattern> targets;
  for (const config::ConfigGroup& g : q.groups)
    std::ranges::copy(g.targets, std::back_inserter(targets));
  const loaders::PatternSet take(regexes(targets), loaders::Anchor::start);
  const loaders::PatternSet leave(regexes(q.ignore), loaders::Anchor::start);
  std::set<std::string_view> left;
  for (const config::Pattern& p : q.ignore) left.insert(p.text);
  std::set<std::string_view> taken;
  for (const config::Pattern& p : targets) taken.insert(p.text);
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls != arch::ModuleClass::mtp || !m.linear || m.name.ends_with(".gate")) continue;
    if (in.stored->modules[i].format != quant::Format::plain) continue;
    if (leave.first_match(m.name) >= 0 || left.contains(m.name)) continue;
    const bool named = taken.contains(m.name) || taken.contains("Linear");
    if (named || take.first_match(m.name) >= 0) found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} draft-head linears are stored at 16 bits and not excluded",
                              with_commas(found.size()));
  draft.subject = "mtp";
  draft.count = found.size();
  draft.where.push_back(at_json(q.file, q.pointer + "/ignore", q.block.value.find("ignore")));
  add_modules(in, found, draft);
  draft.effects = {{"vllm with the draft head", results::LoaderState::does_not_load,
                    "asks for packed tensors of mtp.*"}};
  draft.fix = "add \"re:.*mtp.*\" to `ignore`";
  if (const json::Value ignore = q.block.value.find("ignore"); ignore.is(json::Kind::array)) {
    draft.edits.push_back(add_elements(q.file, ignore, {"\"re:.*mtp.*\""}));
  }
  emit(std::move(draft));
}

}  // namespace qnt032

extern const Rule kQNT032;
const Rule kQNT032{
    .code = "QNT032",
    .name = "draft-head-not-excluded",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "Draft-head modules (`mtp.*`) stored at 16 bits are excluded from quantization.",
    .why =
        "The main model drops them, so nothing shows until speculative decoding is switched on:"
        " then vLLM and SGLang build the head quantized and stop at its weights (vllm #41994: "
        "`ignore` named attention and shared expert, not the experts).",
    .bad = "BF16 mtp.* tensors, a target that matches them and no entry in `ignore`",
    .good = "\"re:.*mtp.*\" in `ignore`",
    .fix = "exclude mtp.*",
    .sources = "vllm #41994; loaders 2.3, QC025",
    .run = qnt032::run,
};

}  // namespace ckpt::rules
