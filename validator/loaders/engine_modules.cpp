// Fused modules of vLLM 0.33 (models/qwen3_5.py, qwen3_next.py); SGLang 0.5.23 cuts the same way.

#include <algorithm>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

using arch::Module;
using arch::ModuleClass;

struct Leaf {
  std::string_view member;
  std::string_view fused;  ///< empty: stands alone
  std::string_view cls;
};

constexpr Leaf kLeaves[] = {
    {"q_proj", "qkv_proj", "QKVParallelLinear"},
    {"k_proj", "qkv_proj", "QKVParallelLinear"},
    {"v_proj", "qkv_proj", "QKVParallelLinear"},
    {"o_proj", "", "RowParallelLinear"},
    {"in_proj_qkv", "in_proj_qkvz", "MergedColumnParallelLinear"},
    {"in_proj_z", "in_proj_qkvz", "MergedColumnParallelLinear"},
    {"in_proj_b", "in_proj_ba", "MergedColumnParallelLinear"},
    {"in_proj_a", "in_proj_ba", "MergedColumnParallelLinear"},
    {"out_proj", "", "RowParallelLinear"},
    {"gate_proj", "gate_up_proj", "MergedColumnParallelLinear"},
    {"up_proj", "gate_up_proj", "MergedColumnParallelLinear"},
    {"down_proj", "", "RowParallelLinear"},
    {"qkv", "", "QKVParallelLinear"},
    {"proj", "", "RowParallelLinear"},
    {"linear_fc1", "", "ColumnParallelLinear"},
    {"linear_fc2", "", "RowParallelLinear"},
    {"lm_head", "", kHead},
    {"gate", "", "ReplicatedLinear"},
    {"shared_expert_gate", "", "ReplicatedLinear"},
};

const Leaf* leaf_of(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  const auto it = std::ranges::find(kLeaves, last, &Leaf::member);
  return it == std::end(kLeaves) ? nullptr : &*it;
}

}  // namespace

std::vector<EngineModule> engine_modules(const arch::Blueprint& blueprint) {
  std::vector<EngineModule> out;
  const auto& modules = blueprint.modules();
  std::uint32_t i = 0;
  while (i < modules.size()) {
    const Module& m = modules[i];
    if (m.cls == ModuleClass::mtp || !m.linear) {
      ++i;
      continue;
    }
    if (m.cls == ModuleClass::routed_expert) {
      EngineModule e{blueprint.experts_of_layer(m.layer)->prefix, kRoutedExperts, {}, true};
      for (; i < modules.size() && modules[i].expert >= 0 && modules[i].layer == m.layer; ++i) {
        e.members.push_back(i);
      }
      out.push_back(std::move(e));
      continue;
    }
    const Leaf* leaf = leaf_of(m.name);
    if (leaf == nullptr) {
      ++i;
      continue;
    }
    EngineModule e{m.name, leaf->cls, {i}, true};
    e.quant_config = m.cls != ModuleClass::router && m.cls != ModuleClass::shared_expert_gate;
    ++i;
    if (!leaf->fused.empty()) {
      const std::size_t stem = m.name.size() - leaf->member.size();
      e.name = m.name.substr(0, stem) + std::string(leaf->fused);
      while (i < modules.size() && modules[i].name.starts_with(m.name.substr(0, stem))) {
        const Leaf* next = leaf_of(modules[i].name);
        if (next == nullptr || next->fused != leaf->fused) break;
        e.members.push_back(i++);
      }
    }
    out.push_back(std::move(e));
  }
  return out;
}

std::vector<EngineModule> sglang_modules(const arch::Blueprint& blueprint) {
  std::vector<EngineModule> out = engine_modules(blueprint);
  for (EngineModule& e : out) {
    if (blueprint.modules()[e.members[0]].cls != ModuleClass::vision) continue;
    e.quant_config = false;
    if (e.name.ends_with(".qkv")) e.name += "_proj";
  }
  return out;
}

const std::vector<FusedName>& fused_names() {
  static const std::vector<FusedName> kFused{
      {"qkv_proj", {"q_proj", "k_proj", "v_proj"}},
      {"gate_up_proj", {"gate_proj", "up_proj"}},
      {"in_proj_qkvz", {"in_proj_qkv", "in_proj_z"}},
      {"in_proj_ba", {"in_proj_b", "in_proj_a"}},
  };
  return kFused;
}

std::vector<std::string> member_names(std::string_view name) {
  std::vector<std::string> out;
  for (const FusedName& f : fused_names()) {
    const std::size_t at = name.find(f.fused);
    if (at == std::string_view::npos || name.find(f.fused, at + 1) != std::string_view::npos) {
      continue;
    }
    for (const std::string_view m : f.members) {
      std::string member(name);
      member.replace(at, f.fused.size(), m);
      out.push_back(std::move(member));
    }
    break;
  }
  return out;
}

}  // namespace ckpt::loaders
