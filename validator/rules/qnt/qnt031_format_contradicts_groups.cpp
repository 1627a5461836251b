#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt031 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->quant || in.config->quant->method != config::QuantMethod::compressed_tensors)
    return;
  const config::QuantConfig& q = *in.config->quant;
  const auto report = [&](std::string message, const std::string& field, const json::Value& value,
                          std::string fix) {
    Draft draft;
    draft.message = std::move(message);
    draft.subject = field;
    draft.where.push_back(at_json(q.file, q.pointer + "/" + field, value));
    draft.effects =
        every_loader(results::LoaderState::does_not_load, "raises, or decodes by the wrong format");
    draft.fix = std::move(fix);
    emit(std::move(draft));
  };
  for (const config::ConfigGroup& g : q.groups) {
    if (g.format.empty() || (g.format == q.format && g.format != "mixed-precision")) continue;
    if (g.format != "mixed-precision" && (q.format.empty() || q.format == "mixed-precision"))
      continue;
    report(fmt::format("group `{}` has format `{}`, the config `{}`", shown(g.name, 20),
                       shown(g.format, 24), shown(q.format, 24)),
           "format", q.block.value.find("format"),
           "write the format in which the weights are stored");
    break;
  }
  const json::Value kv = q.block.value.find("kv_cache_scheme");
  if (!kv.is(json::Kind::object)) return;
  const auto bits = kv.find("num_bits").integer();
  if (bits == 8 && kv.find("type").string() == "float") return;
  report(fmt::format("`kv_cache_scheme` is {} of {} bits, only 8-bit float is known",
                     shown(kv.find("type").string().value_or("?"), 20), bits.value_or(0)),
         "kv_cache_scheme", kv, "write null, or an 8-bit float scheme");
}

}  // namespace qnt031

extern const Rule kQNT031;
const Rule kQNT031{
    .code = "QNT031",
    .name = "format-contradicts-groups",
    .severity = results::Severity::error,
    .what =
        "`format` of a compressed-tensors config is that of its groups, no group is "
        "`mixed-precision`, and `kv_cache_scheme` is an 8-bit float.",
    .why =
        "The loaders choose the decoder by these fields. `mixed-precision` is a summary for "
        "groups of different formats and decodes nothing; another key-value cache scheme than "
        "8-bit float raises at start.",
    .bad = "\"format\": \"naive-quantized\" over groups of \"pack-quantized\"",
    .good = "\"format\": \"pack-quantized\" in both places",
    .fix = "write the format of the groups",
    .sources = "formats 5.1; loaders 2.5, QC024",
    .run = qnt031::run,
};

}  // namespace ckpt::rules
