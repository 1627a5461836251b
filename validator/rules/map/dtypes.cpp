#include "validator/rules/map/dtypes.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {

void report_plain_dtype(const RuleInput& in, const Emit& emit, Dtype dtype,
                        const std::string& fix) {
  if (in.stored == nullptr || in.config->dtypes.empty()) return;
  if (!in.config->dtypes.front().value.ends_with("bfloat16")) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    const std::int32_t t = s.at(quant::Member::weight);
    if (s.format != quant::Format::plain || t < 0 || in.blueprint->modules()[i].float32_kept) {
      continue;
    }
    if (in.checkpoint->tensors()[static_cast<std::size_t>(t)].dtype == dtype) found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} unquantized modules are {}, the config says bfloat16",
                              with_commas(found.size()), dtype_name(dtype));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.fix = fix;
  emit(std::move(draft));
}

}  // namespace ckpt::rules
