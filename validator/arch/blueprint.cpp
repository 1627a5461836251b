#include "validator/arch/blueprint.h"

#include <fmt/format.h>

#include "validator/arch/builder.h"

namespace ckpt::arch {

void BlueprintBuilder::add_experts(const std::string& prefix, int layer, bool mtp,
                                   std::uint64_t count, std::uint64_t inner, std::uint64_t hidden) {
  ExpertBlock block;
  block.first = static_cast<std::uint32_t>(blueprint_.modules_.size());
  block.layer = layer;
  block.mtp = mtp;
  block.prefix = prefix;

  struct Part {
    std::string_view name;
    ExpertPart part;
    Shape shape;
  };

  const Part parts[] = {{"gate_proj", ExpertPart::gate, {inner, hidden}},
                        {"up_proj", ExpertPart::up, {inner, hidden}},
                        {"down_proj", ExpertPart::down, {hidden, inner}}};
  for (std::uint64_t e = 0; e < count; ++e) {
    const std::string expert = prefix + '.' + std::to_string(e) + '.';
    for (const Part& p : parts) {
      add({.name = expert + std::string(p.name),
           .cls = mtp ? ModuleClass::mtp : ModuleClass::routed_expert,
           .linear = true,
           .layer = layer,
           .expert = static_cast<int>(e),
           .part = p.part,
           .shape = p.shape});
    }
  }
  if (!mtp) {
    blueprint_.block_of_layer_.resize(static_cast<std::size_t>(layer) + 1, -1);
    blueprint_.block_of_layer_[static_cast<std::size_t>(layer)] =
        static_cast<std::int32_t>(blueprint_.blocks_.size());
  }
  blueprint_.blocks_.push_back(std::move(block));
}

Blueprint BlueprintBuilder::finish() {
  for (std::size_t i = 0; i < blueprint_.modules_.size(); ++i) {
    if (blueprint_.modules_[i].expert >= 0) continue;  // found by their block
    blueprint_.by_name_.emplace(blueprint_.modules_[i].name, static_cast<std::int32_t>(i));
  }
  return std::move(blueprint_);
}

const ExpertBlock* Blueprint::experts_of_layer(int layer) const {
  if (layer < 0 || static_cast<std::size_t>(layer) >= block_of_layer_.size()) return nullptr;
  const std::int32_t block = block_of_layer_[static_cast<std::size_t>(layer)];
  return block < 0 ? nullptr : &blocks_[static_cast<std::size_t>(block)];
}

Result<Blueprint> build_blueprint(const config::ModelConfig& config, std::uint64_t max_modules) {
  if (!config.supported) {
    return fail(ErrorKind::unsupported, "no blueprint for this architecture");
  }
  const config::TextConfig& t = config.text;
  const auto layers = static_cast<std::uint64_t>(t.num_hidden_layers + t.mtp_num_hidden_layers);
  const auto experts = t.moe ? static_cast<std::uint64_t>(t.num_experts) : 0;
  const auto depth = config.vision ? static_cast<std::uint64_t>(config.vision->depth) : 0;
  const std::uint64_t modules = layers * (3 * experts + 20) + depth * 6 + 16;
  if (modules > max_modules) {
    return fail(ErrorKind::limit,
                fmt::format("the config describes about {} modules, at most {} can lie behind what "
                            "is stored",
                            modules, max_modules));
  }
  BlueprintBuilder builder(config);
  describe_qwen3_5(config, builder);
  return builder.finish();
}

}  // namespace ckpt::arch
