#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "validator/rules/recipe.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt037 {

std::string words(const Precision& p) {
  if (p.bits >= 16) return "16 bits";
  const std::string bits = fmt::format("{} bits", p.bits);
  if (!p.group_size) return bits;
  return *p.group_size < 0 ? bits + " per row"
                           : fmt::format("{} in groups of {}", bits, *p.group_size);
}

Precision stored_precision(const quant::Stored& s) {
  Precision p;
  p.bits = quant::is_quantized(s.format) ? s.bits : 16;
  if (p.bits < 16 && s.group_size != 0) p.group_size = static_cast<int>(s.group_size);
  return p;
}

/// One group of K is a group of 128 where K is 128: only the number of groups can be told.
bool groups_agree(int group_size, const arch::Module& m, const quant::Stored& s) {
  if (m.shape.size() != 2 || s.groups == 0) return true;
  if (group_size < 0) return s.groups == 1;
  const auto g = static_cast<std::uint64_t>(group_size);
  return (m.shape[1] + g - 1) / g == s.groups;
}

bool agrees(const Precision& want, const Precision& have, const arch::Module& m,
            const quant::Stored& s) {
  if (want.bits >= 16 || have.bits >= 16) return want.bits >= 16 && have.bits >= 16;
  return want.bits == have.bits && (!want.group_size || groups_agree(*want.group_size, m, s));
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.recipe == nullptr || in.stored == nullptr) return;
  const int layers = static_cast<int>(in.config->text.num_hidden_layers);
  // One finding for what differs in the same way.
  std::map<std::string, std::vector<std::uint32_t>> found;
  const auto& modules = in.blueprint->modules();
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    const arch::Module& m = modules[i];
    const quant::Stored& s = in.stored->modules[i];
    if (!m.linear && m.cls != arch::ModuleClass::embedding) continue;
    if (s.format == quant::Format::absent) continue;
    const Precision* want = in.recipe->of(m, layers);
    if (want == nullptr) continue;
    const Precision have = stored_precision(s);
    if (agrees(*want, have, m, s)) continue;
    found[fmt::format("{}: {}, the recipe says {}", arch::class_name(m.cls), words(have),
                      words(*want))]
        .push_back(i);
  }
  for (const auto& [text, places] : found) {
    Draft draft;
    draft.message = text;
    draft.subject = text;
    add_modules(in, places, draft);
    draft.fix = "quantize these as the recipe says, or correct [recipe] in ckpt-check.toml";
    emit(std::move(draft));
  }
}

}  // namespace qnt037

extern const Rule kQNT037;
const Rule kQNT037{
    .code = "QNT037",
    .name = "recipe-not-followed",
    .severity = results::Severity::error,
    .what = "Every module is stored in the precision that [recipe] in ckpt-check.toml states.",
    .why =
        "A recipe is a promise on the model card: attention at 8 bits, boundary layers at 16. A "
        "pattern that misses one layer changes nothing that a loader would notice; it shows in the "
        "sizes of the tensors alone, which is what is compared here, module by module.",
    .bad = "full_attention = \"8\" in [recipe], and self_attn.q_proj of layer 7 in 4-bit words",
    .good = "what is stored is what the recipe says",
    .fix = "quantize these modules as the recipe says, or correct the recipe",
    .sources = "card 004, the section on mixed precision",
    .run = qnt037::run,
};

}  // namespace ckpt::rules
