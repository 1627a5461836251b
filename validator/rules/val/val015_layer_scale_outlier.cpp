#include <fmt/format.h>

#include <map>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val015 {

/// What must be alike across layers: the name behind `layers.N.`, experts together.
std::string kind_of(const arch::Module& m) {
  if (m.part != arch::ExpertPart::none) return fmt::format("expert {}", static_cast<int>(m.part));
  const std::size_t at = m.name.find("layers.");
  const std::size_t dot = at == std::string::npos ? at : m.name.find('.', at + 7);
  return dot == std::string::npos ? std::string() : m.name.substr(dot);
}

struct Layer {
  double sum = 0;
  double count = 0;
  std::uint32_t tensor = 0;
};

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::map<std::string, std::map<int, Layer>> kinds;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.layer < 0 || m.cls == arch::ModuleClass::vision || m.cls == arch::ModuleClass::mtp)
      continue;
    const auto level = scale_level(in, i);
    if (!level) continue;
    Layer& layer = kinds[kind_of(m)][m.layer];
    if (layer.count == 0) layer.tensor = level->tensor;
    layer.sum += level->value;
    ++layer.count;
  }
  std::vector<bool> odd(in.checkpoint->tensors().size());
  for (const auto& [kind, layers] : kinds) {
    std::vector<Sibling> siblings;
    for (const auto& [number, layer] : layers)
      siblings.push_back({layer.tensor, layer.sum / layer.count});
    for (const Sibling& s : outliers(std::move(siblings), 16)) odd[s.tensor] = true;
  }
  report_facts(in, emit,
               {.wrong = [&odd](const ValueFact& f) { return odd[f.tensor]; },
                .message =
                    [](const ValueFact& f) {
                      return fmt::format("scales of mean size {:.3g}, far from the other layers'",
                                         f.sum_of_magnitudes / static_cast<double>(f.elements));
                    },
                .effects = {{"all", results::LoaderState::wrong_output,
                             "this layer is likely wrong for every token"}},
                .fix = "compare the layer with the base model; quantize it again"});
}

}  // namespace val015

extern const Rule kVAL015;
const Rule kVAL015{
    .code = "VAL015",
    .name = "layer-scale-outlier",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "The scales of a projection are of similar size in all layers.",
    .why =
        "Layer by layer the mean scale of one kind of projection drifts by small factors. A "
        "layer sixteen times off (and more than 20 robust deviations) was scaled twice or taken"
        " from another model.",
    .bad = "o_proj of layer 12 with scales 40 times those of the other layers",
    .good = "a slow drift from layer to layer",
    .fix = "compare the layer with the base model; quantize it again",
    .sources = "loaders NUM005",
    .run = val015::run,
};

}  // namespace ckpt::rules
