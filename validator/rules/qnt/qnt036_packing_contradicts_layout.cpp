#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt036 {

/// The layout that the config names, when it is one of the two that hold `qweight`.
std::optional<quant::Format> named(const config::QuantConfig& q) {
  switch (q.method) {
    case config::QuantMethod::awq:
      return quant::Format::awq;
    case config::QuantMethod::gptq:
      return quant::Format::gptq;
    case config::QuantMethod::auto_round:
      return q.packing_format.find("awq") != std::string::npos ? quant::Format::awq
                                                               : quant::Format::gptq;
    default:
      return std::nullopt;
  }
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant) return;
  const config::QuantConfig& q = *in.config->quant;
  const auto wanted = named(q);
  if (!wanted) return;
  const quant::Format other =
      *wanted == quant::Format::awq ? quant::Format::gptq : quant::Format::awq;
  std::vector<std::uint32_t> found;
  std::size_t packed = 0;
  for (const std::uint32_t i : packed_modules(in)) {
    ++packed;
    if (in.stored->modules[i].format == other) found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message =
      fmt::format("{} modules are packed as {}, the config says {}", with_commas(found.size()),
                  quant::format_name(other), quant::format_name(*wanted));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  const json::Value field = q.block.value.find("packing_format");
  draft.where.push_back(at_json(q.file, q.pointer, field ? field : q.block.value));
  add_modules(in, found, draft);
  draft.effects = {
      {"vllm", results::LoaderState::does_not_load, "the shapes do not fit"},
      {"transformers", results::LoaderState::wrong_output, "RuntimeError, or wrong weights"},
      {"sglang", results::LoaderState::does_not_load, "the shapes do not fit"}};
  draft.fix = "name the layout that is stored, or quantize the module again";
  if (found.size() == packed && q.method == config::QuantMethod::auto_round && field) {
    const char* text =
        other == quant::Format::awq ? "\"auto_round:auto_awq\"" : "\"auto_round:auto_gptq\"";
    draft.fix = fmt::format("write {}", text);
    draft.edits.push_back(replace_value(q.file, field, text));
  }
  emit(std::move(draft));
}

}  // namespace qnt036

extern const Rule kQNT036;
const Rule kQNT036{
    .code = "QNT036",
    .name = "packing-contradicts-layout",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "`qweight` lies as the config's method or `packing_format` says: GPTQ packs along the "
        "inputs [K*b/32, N], AWQ along the outputs [K, N*b/32].",
    .why =
        "Both layouts use the same tensor names. A loader allocates the other shape and stops, or "
        "replaces the parameter and multiplies by shuffled codes.",
    .bad = "\"packing_format\": \"auto_round:auto_awq\" with qweight [K/8, N]",
    .good = "\"packing_format\": \"auto_round:auto_gptq\" with qweight [K/8, N]",
    .fix = "name the layout that is stored",
    .sources = "formats 3.1, 4; loaders, section 1",
    .run = qnt036::run,
};

}  // namespace ckpt::rules
