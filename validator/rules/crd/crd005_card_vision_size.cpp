#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd005 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->vision || in.checkpoint->incomplete()) return;
  double bytes = 0;
  double tensors = 0;
  for (const container::Tensor& t : in.checkpoint->tensors()) {
    if (std::string_view(t.name).find("visual.") == std::string_view::npos) continue;
    bytes += static_cast<double>(t.bytes());
    ++tensors;
  }
  if (tensors == 0) return;
  for (const repo::CardLine& line : in.card->lines) {
    const std::string_view p = line.plain;
    const bool names = p.find("vision encoder") != std::string_view::npos ||
                       p.find("visual encoder") != std::string_view::npos ||
                       p.find("vision tower") != std::string_view::npos;
    if (!names) continue;
    const auto size = bytes_in(p);
    if (size && !agrees(*size, bytes)) {
      emit(contradiction(
          in, line.number,
          fmt::format("the card says {} for the vision encoder, its tensors have {}",
                      shown(size->quote, 20), bytes_text(static_cast<std::uint64_t>(bytes))),
          "vision encoder"));
    }
    const auto count = number_before(p, "tensors");
    if (count && *count != tensors) {
      emit(contradiction(
          in, line.number,
          fmt::format("the card says {} vision tensors, {} are stored", *count, tensors),
          "vision tensors"));
    }
  }
}

}  // namespace crd005

extern const Rule kCRD005;
const Rule kCRD005{
    .code = "CRD005",
    .name = "card-vision-size",
    .severity = results::Severity::warning,
    .what =
        "Size and number of tensors that the card gives for the vision encoder are those "
        "stored.",
    .why =
        "A \"6.1 GB\" encoder that is 0.9 GB makes people look for weights that do not exist, "
        "or doubt those that do.",
    .bad = "vision encoder (333 tensors, ~6.1GB), stored: 333 tensors, 0.9 GB",
    .good = "vision encoder (333 tensors, 0.9 GB)",
    .fix = "write the size of the vision tensors",
    .sources = "card 002; loaders DOC003",
    .run = crd005::run,
};

}  // namespace ckpt::rules
