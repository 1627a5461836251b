#include <fmt/format.h>

#include <optional>

#include "validator/base/text.h"
#include "validator/loaders/expected.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map015 {

/// How the first stored expert of the trunk, or of the draft head, is spelt.
std::optional<arch::Spelling> spelling_of(const RuleInput& in, bool mtp) {
  for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
    if (b.mtp != mtp) continue;
    const quant::Stored& s = in.stored->modules[b.first];
    if (s.format != quant::Format::absent) return s.spelling;
  }
  return std::nullopt;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.intent->predicted || in.checkpoint->incomplete()) return;
  const loaders::ExpertSpellings spellings{
      spelling_of(in, false).value_or(arch::Spelling::per_expert), spelling_of(in, true)};
  const loaders::ExpectedSize want = loaders::expected_size(*in.blueprint, *in.intent, spellings);
  const std::uint64_t have = in.checkpoint->tensors().size();
  if (want.tensors == have) return;
  Draft draft;
  draft.message = fmt::format("{} tensors are stored, architecture and config give {}",
                              with_commas(have), with_commas(want.tensors));
  draft.subject = "tensors";
  draft.where.push_back(at_json("config.json", "", in.config->document->root()));
  draft.fix = "see the other findings; without any, something harmless is stored in addition";
  emit(std::move(draft));
}

}  // namespace map015

extern const Rule kMAP015;
const Rule kMAP015{
    .code = "MAP015",
    .name = "tensor-count-differs",
    .severity = results::Severity::info,
    .what =
        "The number of stored tensors is the one that architecture and quantization config give.",
    .why =
        "One line that sums up what the other rules find in detail; publishers quote the number.",
    .bad = "121,727 tensors where 45 * 2030 + 15 * 2025 + 3 = 121,728 are due",
    .good = "121,728 tensors",
    .fix = "see the other findings",
    .sources = "card 002; architecture, section 6",
    .run = map015::run,
};

}  // namespace ckpt::rules
