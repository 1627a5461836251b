#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace {

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
    if (draft.where.size() < 20) add_place(draft, at_json(q.file, q.pointer + "/ignore", p.place));
  }
  if (draft.count == 0) return;
  draft.message = fmt::format("{} of {} entries of `ignore` name no module, first `{}`",
                              draft.count, q.ignore.size(), shown(draft.subject, 40));
  draft.fix = "write full module names, or a pattern such as `re:.*visual.*`";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT035;
const Rule kQNT035{
    .code = "QNT035",
    .name = "ignore-entry-matches-nothing",
    .severity = results::Severity::warning,
    .what = "Every plain name in `ignore` of a compressed-tensors config is a module of the model.",
    .why =
        "A plain name must be equal to a module's: a parent (`model.visual`), a wrong prefix or"
        " a pruned layer excludes nothing, and no loader says so. What it should have excluded "
        "is quantized, if a target takes it.",
    .bad = "\"model.visual\" in `ignore`",
    .good = "\"re:.*visual.*\", or the full names",
    .fix = "write full module names, or a pattern",
    .sources = "loaders 2.5 (ran), QC007, QC020",
    .run = run,
};

}  // namespace ckpt::rules
