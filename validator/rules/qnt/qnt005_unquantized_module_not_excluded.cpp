#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

#include <fmt/format.h>

#include <set>

namespace ckpt::rules {
namespace qnt005 {

struct Exclusion {
  std::string fix;
  std::vector<results::Edit> edits;
};

/// What keeps these modules at 16 bits in every loader.
Exclusion exclude(const RuleInput& in, const std::vector<std::uint32_t>& modules) {
  const config::QuantConfig& q = *in.config->quant;
  const arch::Module& first = in.blueprint->modules()[modules[0]];
  Exclusion out;
  if (q.method == config::QuantMethod::compressed_tensors) {
    out.fix = fmt::format("add `{}` and its like to `ignore`", first.name);
    std::vector<std::string> names;
    for (const std::uint32_t m : modules) {
      names.push_back(json::quoted(in.blueprint->modules()[m].name));
    }
    const json::Value ignore = q.block.value.find("ignore");
    if (ignore.is(json::Kind::array)) {
      out.edits.push_back(add_elements(q.file, ignore, names));
    } else {
      out.edits.push_back(
          set_member(q.file, q.block.value, "ignore", fmt::format("[{}]", fmt::join(names, ", "))));
    }
    return out;
  }
  if (q.method != config::QuantMethod::auto_round) {
    out.fix = fmt::format("name `{}` and its like in the method's list of exceptions", first.name);
    return out;
  }
  std::string key = first.name;
  if (const std::size_t at = key.find("layers."); at != std::string::npos && first.layer >= 0) {
    const std::size_t from = at + 7;
    key.replace(from, key.find('.', from) - from, "*");
  }
  out.fix = fmt::format("add \"{}\": {{\"bits\": 16}}", key);
  const json::Value extra = q.block.value.find("extra_config");
  const NewMember entry{key, "{\"bits\": 16}"};
  if (extra.is(json::Kind::object)) {
    if (!extra.find(key)) out.edits.push_back(add_members(q.file, extra, {entry}));
  } else {
    out.edits.push_back(set_member(q.file, q.block.value, "extra_config",
                                   fmt::format("{{{}: {}}}", json::quoted(key), entry.second)));
  }
  return out;
}

void report(const RuleInput& in, const Emit& emit, arch::ModuleClass cls,
            const std::vector<std::uint32_t>& modules) {
  const std::int32_t tensor = in.stored->modules[modules[0]].at(quant::Member::weight);
  const Dtype dtype = in.checkpoint->tensors()[static_cast<std::size_t>(tensor)].dtype;
  Draft draft;
  draft.message = fmt::format("{} {} stored in {}, the config says {}-bit",
                              counted(modules.size(), cls), modules.size() == 1 ? "is" : "are",
                              dtype_name(dtype), in.intent->decision(modules[0])->bits);
  draft.subject = std::string(arch::class_name(cls));
  draft.count = modules.size();
  add_modules(in, modules, draft);
  draft.effects = effects_on(in, modules);
  if (draft.effects.empty()) {
    draft.effects.push_back({"older vllm (0.17), sglang", results::LoaderState::wrong_output,
                             "build it quantized: the weights are not loaded, the output is NaN"});
  }
  Exclusion exclusion = exclude(in, modules);
  draft.fix = std::move(exclusion.fix);
  draft.edits = std::move(exclusion.edits);
  emit(std::move(draft));
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant || !in.intent->predicted) return;
  if (packed_modules(in).empty()) return;  // QNT001
  std::set<std::uint32_t> explained;       // modules whose finding is another rule's cause
  for (const std::uint32_t m : undeclared_vision(in)) explained.insert(m);
  for (const DeadOverride& d : dead_overrides(in)) {
    const std::int32_t m = d.repaired.empty() ? -1 : in.blueprint->find(d.repaired);
    if (m >= 0) explained.insert(static_cast<std::uint32_t>(m));
  }
  ModulesByClass found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const loaders::Decision* d = in.intent->decision(i);
    if (d == nullptr || !d->quantized || in.stored->modules[i].format != quant::Format::plain)
      continue;
    if (!explained.contains(i)) found[in.blueprint->modules()[i].cls].push_back(i);
  }
  for (const auto& [cls, modules] : found) report(in, emit, cls, modules);
}

}  // namespace qnt005

extern const Rule kQNT005;
const Rule kQNT005{
    .code = "QNT005",
    .name = "unquantized-module-not-excluded",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "Every module stored in 16 bits is excluded from quantization by the config.",
    .why =
        "A loader that believes the config builds the module quantized and asks for "
        "`.qweight`: vLLM stops, transformers fills it with random values. Routers are "
        "built without a config in vLLM 0.33, but in 0.17 an unlisted router gave NaN.",
    .bad = "routers stored BF16, no entry for `mlp.gate`",
    .good = "\"model.language_model.layers.*.mlp.gate\": {\"bits\": 16}",
    .fix = "exclude the modules: {\"bits\": 16}",
    .sources = "card 002, erratum 4; loaders 2.6, 7 and QC033",
    .run = qnt005::run,
};

}  // namespace ckpt::rules
