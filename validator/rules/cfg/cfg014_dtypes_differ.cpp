#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace {

std::string_view bare(std::string_view dtype) {
  return dtype.starts_with("torch.") ? dtype.substr(6) : dtype;
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
    emit(std::move(draft));
    return;
  }
}

}  // namespace

extern const Rule kCFG014;
const Rule kCFG014{
    .code = "CFG014",
    .name = "dtypes-differ",
    .severity = results::Severity::warning,
    .what = "All declared dtypes of config.json are the same.",
    .why =
        "`dtype` and `torch_dtype`, at the top, in text_config and in vision_config, are read "
        "by different loaders in different order: with two values the same repo runs in two "
        "precisions.",
    .bad = "\"dtype\": \"bfloat16\" with \"torch_dtype\": \"float32\"",
    .good = "one value everywhere",
    .fix = "write one value everywhere",
    .sources = "loaders 2.9, CFG006",
    .run = run,
};

}  // namespace ckpt::rules
