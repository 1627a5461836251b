#include <algorithm>
#include <array>

#include "validator/arch/blueprint.h"

namespace ckpt::arch {
namespace {

constexpr std::array<std::string_view, kMembers> kMemberNames{"weight",
                                                              "bias",
                                                              "qweight",
                                                              "qzeros",
                                                              "scales",
                                                              "g_idx",
                                                              "weight_packed",
                                                              "weight_scale",
                                                              "weight_shape",
                                                              "weight_zero_point",
                                                              "weight_scale_inv",
                                                              "weight_global_scale",
                                                              "weight_g_idx",
                                                              "weight_scale_2",
                                                              "weight_scale_second",
                                                              "input_scale",
                                                              "input_global_scale",
                                                              "input_zero_point"};

}  // namespace

std::optional<Member> member_of(std::string_view suffix) {
  const auto* it = std::ranges::find(kMemberNames, suffix);
  if (it == kMemberNames.end()) return std::nullopt;
  return static_cast<Member>(it - kMemberNames.begin());
}

std::string_view member_name(Member member) {
  return kMemberNames[static_cast<std::size_t>(member)];
}

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
