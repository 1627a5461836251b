#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt007 {

void run(const RuleInput& in, const Emit& emit) {
  report_mismatch(
      in, emit,
      {.field = "group_size",
       .differs =
           [](const quant::Stored& s, const loaders::Decision& d, const Shape& shape) {
             return s.groups != 0 && shape.size() == 2 &&
                    s.groups != loaders::group_count(d.group_size, shape[1]);
           },
       .message =
           [](std::size_t n, const quant::Stored& s, const loaders::Decision& d) {
             const auto words = [](std::int64_t g) {
               return g < 0 ? std::string("one group a row") : fmt::format("groups of {}", g);
             };
             return fmt::format("{} modules have {}, the config says {}", with_commas(n),
                                words(s.group_size), words(d.group_size));
           },
       .stored_value = [](const quant::Stored& s) { return s.group_size; }});
}

}  // namespace qnt007

extern const Rule kQNT007;
const Rule kQNT007{
    .code = "QNT007",
    .name = "group-size-contradicts-scales",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "The group size of the config is the one the stored scales have: ceil(K / "
        "group_size) groups.",
    .why =
        "Loaders allocate parameters by the config: vLLM and SGLang stop on the shape, "
        "transformers replaces the parameter and fails, or is wrong, in the forward pass.",
    .bad = "\"group_size\": 64 with scales of 128-wide groups",
    .good = "config and shapes agree",
    .fix = "write the stored value into the config",
    .sources = "loaders, section 1; formats, section 7",
    .run = qnt007::run,
};

}  // namespace ckpt::rules
