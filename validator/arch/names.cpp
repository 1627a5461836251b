#include "validator/arch/blueprint.h"

namespace ckpt::arch {

std::string_view class_name(ModuleClass cls) {
  constexpr std::string_view kNames[] = {"embedding",
                                         "head",
                                         "norm",
                                         "router",
                                         "routed_expert",
                                         "shared_expert",
                                         "shared_expert_gate",
                                         "full_attention",
                                         "linear_attention",
                                         "dense_mlp",
                                         "vision",
                                         "mtp"};
  return kNames[static_cast<std::size_t>(cls)];
}

std::string_view spelling_pattern(Spelling spelling) {
  constexpr std::string_view kPatterns[] = {"", "experts.{e}.gate_proj", "experts.gate_up_proj",
                                            "experts.gate_up_proj.{e}", "experts.{e}.gate_up_proj"};
  return kPatterns[static_cast<std::size_t>(spelling)];
}

std::string_view prefix_text(Prefix prefix) {
  constexpr std::string_view kTexts[] = {
      "model.language_model.", "model.",
      "language_model.",       "",
      "language_model.model.", "model.language_model.language_model."};
  return kTexts[static_cast<std::size_t>(prefix)];
}

}  // namespace ckpt::arch
