#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "validator/base/text.h"
#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace cfg014 {

std::string_view bare(std::string_view dtype) {
  return dtype.starts_with("torch.") ? dtype.substr(6) : dtype;
}

/// The dtype of all plain weights but those that releases keep in F32; empty when they differ.
std::string stored_dtype(const RuleInput& in) {
  std::optional<Dtype> one;
  for (std::size_t i = 0; in.stored != nullptr && i < in.stored->modules.size(); ++i) {
    const std::int32_t t = in.stored->modules[i].at(quant::Member::weight);
    const bool counts = in.stored->modules[i].format == quant::Format::plain && t >= 0 &&
                        !in.blueprint->modules()[i].float32_kept;
    if (!counts) continue;
    const Dtype d = in.checkpoint->tensors()[static_cast<std::size_t>(t)].dtype;
    if (one && *one != d) return {};
    one = d;
  }
  if (one == Dtype::bf16) return "\"bfloat16\"";
  return one == Dtype::f32 ? "\"float32\"" : "";
}

void run(const RuleInput& in, const Emit& emit) {
  const auto& dtypes = in.config->dtypes;
  const bool half = std::ranges::any_of(dtypes, [](const config::DtypeField& f) {
    return bare(f.value) == "float16" || bare(f.value) == "half";
  });
  // float16 is an error of its own in this family.
  if (dtypes.empty() || half) return;
  for (const config::DtypeField& f : dtypes) {
    if (bare(f.value) == bare(dtypes.front().value)) continue;
    Draft draft;
    draft.message =
        fmt::format("`{}` is {}, `{}` is {}", shown(dtypes.front().pointer, 30),
                    shown(dtypes.front().value, 20), shown(f.pointer, 30), shown(f.value, 20));
    draft.subject = shown(f.pointer);
    draft.where.push_back(at_json("config.json", shown(f.pointer), f.member.value));
    draft.fix = "write one dtype everywhere";
    const std::string stored = stored_dtype(in);
    if (!stored.empty()) {
      draft.fix = "write " + stored + " everywhere, as the weights are stored";
      for (const config::DtypeField& d : dtypes) {
        draft.edits.push_back(replace_value("config.json", d.member.value, stored));
      }
    }
    emit(std::move(draft));
    return;
  }
}

}  // namespace cfg014

extern const Rule kCFG014;
const Rule kCFG014{
    .code = "CFG014",
    .name = "dtypes-differ",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "All declared dtypes of config.json are the same.",
    .why =
        "`dtype` and `torch_dtype`, at the top, in text_config and in vision_config, are read "
        "by different loaders in different order: with two values the same repo runs in two "
        "precisions.",
    .bad = "\"dtype\": \"bfloat16\" with \"torch_dtype\": \"float32\"",
    .good = "one value everywhere",
    .fix = "write one value everywhere",
    .sources = "loaders 2.9, CFG006",
    .run = cfg014::run,
};

}  // namespace ckpt::rules
