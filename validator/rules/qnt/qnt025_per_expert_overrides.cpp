#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt025 {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  std::vector<std::uint32_t> modules;
  Draft draft;
  draft.count = 0;
  bool differs = false;
  for (const config::Override& o : q.overrides) {
    const std::int32_t m = in.blueprint->find(o.key);
    if (m < 0 || in.blueprint->modules()[static_cast<std::size_t>(m)].cls !=
                     arch::ModuleClass::routed_expert)
      continue;
    modules.push_back(static_cast<std::uint32_t>(m));
    differs = differs || (o.bits && o.bits != q.bits) ||
              (o.group_size && o.group_size != q.group_size) || (o.sym && o.sym != q.sym);
    if (draft.count++ == 0) draft.subject = shown(o.key);
    if (draft.where.size() < 20)
      add_place(draft, at_json(q.file, q.pointer + "/extra_config", o.member.key));
  }
  if (modules.empty()) return;
  draft.message = fmt::format("{} overrides name single experts", with_commas(draft.count));
  // Experts of two schemes in one layer are the finding; these entries only say the same.
  const bool told =
      std::ranges::find(in.earlier, "QNT020", &results::Finding::code) != in.earlier.end();
  if (differs && !told) {
    draft.effects = effects_on(in, modules);
  } else {
    draft.severity = results::Severity::info;
  }
  draft.fix = "remove the entries: experts take the scheme of their layer";
  emit(std::move(draft));
}

}  // namespace qnt025

extern const Rule kQNT025;
const Rule kQNT025{
    .code = "QNT025",
    .name = "per-expert-overrides",
    .severity = results::Severity::warning,
    .what = "No override names single experts.",
    .why =
        "vLLM 0.33 ignores such entries and builds all experts by the global scheme: other "
        "widths then do not fit. In SGLang one entry re-types every expert of its layer. "
        "Entries that repeat the global scheme change nothing: information.",
    .bad = "\"model.layers.0.mlp.experts.3.up_proj\": {\"bits\": 8}",
    .good = "one scheme for all experts of the model",
    .fix = "remove the entries, or quantize the experts by the global scheme",
    .sources = "loaders 2.3, 4 (ran), QC014",
    .run = qnt025::run,
};

}  // namespace ckpt::rules
