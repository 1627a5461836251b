#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt035 {

constexpr std::size_t kMostEdits = 200;  // each looks at every module

bool simple(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

/// What the entry was meant to say, when the files leave no doubt: the modules below a parent, or
/// the module of another prefix, and none of them stored quantized. Empty otherwise.
std::string meant(const RuleInput& in, const std::string& entry) {
  const auto plain = [&in](std::uint32_t i) {
    return in.stored->modules[i].format == quant::Format::plain;
  };
  const auto& modules = in.blueprint->modules();
  std::size_t below = 0;
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    if (!modules[i].linear || !modules[i].name.starts_with(entry + ".")) continue;
    if (!plain(i)) return {};
    ++below;
  }
  const std::string last = entry.substr(entry.rfind('.') + 1);
  if (below > 0) return simple(last) ? "re:.*[.]" + last + "[.].*" : std::string();
  const std::size_t layers = entry.find("layers.");
  if (layers == std::string::npos) return {};
  const std::string named = in.blueprint->text_prefix() + entry.substr(layers);
  const std::int32_t at = in.blueprint->find(named);
  return at >= 0 && plain(static_cast<std::uint32_t>(at)) ? named : std::string();
}

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::compressed_tensors)) return;
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.count = 0;
  for (const config::Pattern& p : q.ignore) {
    const std::string& t = p.text;
    // Class names and short names of modules a repo may lack say nothing wrong.
    if (t.starts_with("re:") || t.find('.') == std::string::npos || t.starts_with("mtp.")) continue;
    if (in.blueprint->find(t) >= 0 || t.ends_with("in_proj_qkvz") || t.ends_with("in_proj_ba") ||
        t.ends_with("qkv_proj"))
      continue;
    if (draft.count++ == 0) draft.subject = shown(t);
    if (const std::string text = meant(in, t); !text.empty() && draft.edits.size() < kMostEdits) {
      draft.edits.push_back(replace_value(q.file, p.place, json::quoted(text)));
    }
    if (draft.where.size() < 20) add_place(draft, at_json(q.file, q.pointer + "/ignore", p.place));
  }
  if (draft.count == 0) return;
  draft.message = fmt::format("{} of {} entries of `ignore` name no module, first `{}`",
                              draft.count, q.ignore.size(), shown(draft.subject, 40));
  draft.fix = "write full module names, or a pattern such as `re:.*visual.*`";
  emit(std::move(draft));
}

}  // namespace qnt035

extern const Rule kQNT035;
const Rule kQNT035{
    .code = "QNT035",
    .name = "ignore-entry-matches-nothing",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "Every plain name in `ignore` of a compressed-tensors config is a module of the model.",
    .why =
        "A plain name must be equal to a module's: a parent (`model.visual`), a wrong prefix or"
        " a pruned layer excludes nothing, and no loader says so. What it should have excluded "
        "is quantized, if a target takes it.",
    .bad = "\"model.visual\" in `ignore`",
    .good = "\"re:.*visual.*\", or the full names",
    .fix = "write full module names, or a pattern",
    .sources = "loaders 2.5 (ran), QC007, QC020",
    .run = qnt035::run,
};

}  // namespace ckpt::rules
