#pragma once

#include <string>
#include <utility>

#include "validator/arch/blueprint.h"

namespace ckpt::arch {

/// Collects modules while an architecture describes itself.
class BlueprintBuilder {
 public:
  explicit BlueprintBuilder(const config::ModelConfig& config) { blueprint_.config_ = &config; }

  void set_text_prefix(std::string prefix) { blueprint_.text_prefix_ = std::move(prefix); }

  void add(Module module) { blueprint_.modules_.push_back(std::move(module)); }

  /// Routed experts of one layer: gate, up [inner, hidden] and down [hidden, inner] per expert.
  void add_experts(const std::string& prefix, int layer, bool mtp, std::uint64_t count,
                   std::uint64_t inner, std::uint64_t hidden);
  [[nodiscard]] Blueprint finish();

 private:
  Blueprint blueprint_;
};

/// Adds the modules of `qwen3_5_moe` and dense `qwen3_5`, text, vision and MTP.
void describe_qwen3_5(const config::ModelConfig& config, BlueprintBuilder& builder);

}  // namespace ckpt::arch
