#include "validator/loaders/load_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/loaders/expected.h"
#include "validator/loaders/outcome.h"

namespace ckpt::loaders {
namespace {

using arch::Module;
using arch::ModuleClass;
using config::QuantMethod;

constexpr std::string_view kHeadWeight = "lm_head.weight";
constexpr std::string_view kGateUp = ".gate_up_proj";  // after `...mlp.experts`
constexpr std::string_view kDown = ".down_proj";
constexpr std::string_view kVlPrefix = "model.language_model.";  // the text class strips the second
constexpr std::string_view kParts[] = {"gate_proj", "up_proj", "down_proj"};

Failure conversion_error(const std::string& prefix) {
  return {LoadVerdict::fails_load, "RuntimeError",
          "the experts of " + prefix + " cannot be joined into one parameter"};
}

bool renames(std::string_view name, config::ModelClass cls) {
  return cls == config::ModelClass::causal_lm && name.starts_with(kVlPrefix);
}

std::string renamed(std::string_view name, config::ModelClass cls) {
  if (!renames(name, cls)) return std::string(name);
  return "model." + std::string(name.substr(kVlPrefix.size()));
}

bool ignored(std::string_view name, config::ModelClass cls) {
  if (name.starts_with("mtp.") || name.find("rotary_emb.inv_freq") != std::string_view::npos) {
    return true;
  }
  return cls == config::ModelClass::causal_lm &&
         (name.starts_with("model.visual.") || name.starts_with("visual."));
}

bool tied(const config::ModelConfig& config) {
  if (config.text.tie_word_embeddings || config.document == nullptr) {
    return config.text.tie_word_embeddings;
  }
  return config.document->root().find("tie_word_embeddings").boolean().value_or(false);
}

}  // namespace

KeyTable::KeyTable(const LoadInput& in, const VisibleShards& shards)
    : in_(in), tied_(tied(in.config)) {
  if (const config::QuantConfig* q = transformers_quant(in.config)) method_ = q->method;
  expect();
  for (const container::Tensor& t : in.checkpoint.tensors()) {
    if (shards.visible[t.shard]) take(t);
  }
  if (fused()) {
    std::size_t at = 0;
    for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
      if (!b.mtp) finish_block(b, at++);
    }
  }
  if (method_ == QuantMethod::fp8) {
    for (const Parameter& p : parameters_) {
      if (p.tensor == nullptr || p.tensor->dtype != Dtype::f8_e4m3) continue;
      const container::Checkpoint& c = in.checkpoint;
      const std::string stored(p.tensor->name);
      if (c.find(stored + "_scale_inv") != nullptr) continue;
      (c.find(stored + "_scale") != nullptr ? scale_renamed_ : scale_missing_) = true;
    }
  }
}

void KeyTable::expect() {
  const auto& modules = in_.blueprint->modules();
  first_.reserve(modules.size() + 1);
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    first_.push_back(static_cast<std::uint32_t>(parameters_.size()));
    if (modules[i].cls == ModuleClass::mtp) continue;
    if (modules[i].cls == ModuleClass::routed_expert && fused()) continue;
    expect_module(i);
  }
  first_.push_back(static_cast<std::uint32_t>(parameters_.size()));
  expect_tied_head();
  fused_at_ = parameters_.size();
  if (!fused()) return;
  for (const arch::ExpertBlock& b : in_.blueprint->expert_blocks()) {
    if (b.mtp) continue;
    blocks_[b.prefix] = conversions_.size();
    conversions_.emplace_back();
    parameters_.push_back({b.first, ParameterKind::fused_gate_up, ""});
    parameters_.push_back({b.first, ParameterKind::fused_down, ""});
  }
}

// The head has its own parameter even when it is tied: a stored one is used.
void KeyTable::expect_tied_head() {
  const std::int32_t embedding = in_.blueprint->find(in_.blueprint->text_prefix() + "embed_tokens");
  if (!tied_ || embedding < 0 || in_.blueprint->find("lm_head") >= 0) return;
  head_at_ = parameters_.size();
  parameters_.push_back({static_cast<std::uint32_t>(embedding), ParameterKind::plain, "weight"});
}

void KeyTable::expect_module(std::uint32_t at) {
  const Module& m = in_.blueprint->modules()[at];
  const Decision* d = in_.plan->decision(at);
  if (m.bare) {
    parameters_.push_back({at, ParameterKind::plain, ""});
  } else if (d == nullptr || !d->quantized || method_ == QuantMethod::fp8) {
    parameters_.push_back({at, ParameterKind::plain, "weight"});
  } else {
    for (const std::string_view member : expected_members(method_, *d)) {
      parameters_.push_back({at, ParameterKind::packed, member});
    }
  }
  if (m.bias) parameters_.push_back({at, ParameterKind::bias, "bias"});
}

std::string KeyTable::name_of(const Parameter& p) const {
  if (head_at_ != kNone && &p == &parameters_[head_at_]) return std::string(kHeadWeight);
  const Module& m = in_.blueprint->modules()[p.module];
  if (p.kind == ParameterKind::fused_gate_up || p.kind == ParameterKind::fused_down) {
    return in_.blueprint->experts_of_layer(m.layer)->prefix +
           std::string(p.kind == ParameterKind::fused_down ? kDown : kGateUp);
  }
  return p.member.empty() ? m.name : fmt::format("{}.{}", m.name, p.member);
}

std::size_t KeyTable::slot(std::string_view name) const {
  if (head_at_ != kNone && name == kHeadWeight) return head_at_;
  const bool down = name.ends_with(kDown);
  if (down || name.ends_with(kGateUp)) {
    const std::size_t end = name.size() - (down ? kDown : kGateUp).size();
    const auto block = blocks_.find(std::string(name.substr(0, end)));
    if (block != blocks_.end()) return fused_at_ + 2 * block->second + (down ? 1 : 0);
  }
  const auto member_slot = [this](std::int32_t module, std::string_view member) {
    if (module < 0) return kNone;
    const auto at = static_cast<std::size_t>(module);
    for (std::size_t i = first_[at]; i < first_[at + 1]; ++i) {
      if (parameters_[i].member == member) return i;
    }
    return kNone;
  };
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return kNone;
  const std::size_t found =
      member_slot(in_.blueprint->find(name.substr(0, dot)), name.substr(dot + 1));
  return found != kNone ? found : member_slot(in_.blueprint->find(name), "");
}

const Parameter* KeyTable::find(std::string_view name) const {
  const std::size_t at = slot(name);
  return at == kNone ? nullptr : &parameters_[at];
}

void KeyTable::take(const container::Tensor& tensor) {
  const config::ModelClass cls = in_.config.model_class;
  // Built only where the class renames.
  std::string other;
  std::string_view name = tensor.name;
  bool as_stored = !renames(name, cls);
  if (!as_stored) {
    other = renamed(name, cls);
    name = other;
  }
  std::size_t at = slot(name);
  if (at == kNone && !name.starts_with("model.")) {  // which may be missing
    at = slot("model." + std::string(name));
    as_stored = false;
  }
  if (at != kNone) {
    parameters_[at].tensor = &tensor;
    parameters_[at].filled = true;
    // Only the vision-language class, and only unrenamed, keeps F32 as it is.
    const bool kept = as_stored && cls == config::ModelClass::conditional_generation;
    if (tensor.dtype == Dtype::f32 && !kept) rounded_ = true;
    return;
  }
  if (fused() && convert(name, tensor)) return;
  const bool scale = method_ == QuantMethod::fp8 && name.ends_with(".weight_scale_inv");
  if (!scale && !ignored(name, cls)) unexpected_.push_back(&tensor);
}

bool KeyTable::convert(std::string_view name, const container::Tensor& tensor) {
  constexpr std::string_view kExperts = ".experts.";
  const std::size_t at = name.find(kExperts);
  if (at == std::string_view::npos) return false;
  const auto block = blocks_.find(std::string(name.substr(0, at + kExperts.size() - 1)));
  if (block == blocks_.end()) return false;
  const std::string_view rest = name.substr(at + kExperts.size());
  const std::size_t dot = rest.find('.');
  const std::size_t last = rest.rfind('.');
  if (dot == std::string_view::npos || last <= dot) return false;
  if (parse_index(rest.substr(0, dot)) < 0) return false;
  const auto* part = std::ranges::find(kParts, rest.substr(dot + 1, last - dot - 1));
  if (part == std::end(kParts)) return false;
  const std::string_view member = rest.substr(last + 1);
  const bool ct = method_ == QuantMethod::compressed_tensors;
  Conversion& c = conversions_[block->second];
  if (member == (ct ? "weight_packed" : "weight")) {
    ++c.experts[static_cast<std::size_t>(part - kParts)];
    if (part == kParts) c.packed = &tensor;
    return true;
  }
  if (ct && member == "weight_scale" && part == kParts) c.scale = &tensor;
  if (ct) return member == "weight_scale" || member == "weight_shape";
  return method_ == QuantMethod::fp8 && member == "weight_scale_inv";
}

std::optional<Failure> KeyTable::packed_mismatch(const arch::ExpertBlock& block,
                                                 const Conversion& c) const {
  const Decision* d = in_.plan->decision(block.first);
  if (d == nullptr || !d->quantized || d->format != "pack-quantized" || !d->sym) {
    return conversion_error(block.prefix);
  }
  const std::uint64_t k = in_.blueprint->modules()[block.first].shape[1];
  const std::uint64_t words = (k * static_cast<std::uint64_t>(d->bits) + 31) / 32;
  const bool width =
      c.packed != nullptr && c.packed->shape.size() == 2 && c.packed->shape[1] != words;
  const bool groups = c.scale != nullptr && c.scale->shape.size() == 2 &&
                      c.scale->shape[1] != group_count(d->group_size, k);
  if (width || groups) return conversion_error(block.prefix);
  return std::nullopt;
}

void KeyTable::finish_block(const arch::ExpertBlock& block, std::size_t conversion) {
  const Conversion& c = conversions_[conversion];
  const auto& [gate, up, down] = c.experts;
  if (gate + up + down == 0) return;
  const bool ct = method_ == QuantMethod::compressed_tensors;
  if (ct && !failure_) failure_ = packed_mismatch(block, c);
  const auto experts = static_cast<std::uint64_t>(in_.config.text.num_experts);
  const bool joined = gate + up > 0;
  const bool uneven = gate != up || (ct && down != gate);
  const bool short_of = (joined && gate != experts) || (down > 0 && down != experts);
  if (!failure_ && uneven) failure_ = conversion_error(block.prefix);
  if (!failure_ && short_of) {
    failure_ = ct ? Failure{LoadVerdict::fails_forward, "RuntimeError",
                            "the experts of " + block.prefix + " are not num_experts"}
                  : conversion_error(block.prefix);
  }
  Parameter* const fused = &parameters_[fused_at_ + 2 * conversion];
  if (joined) fused[0].filled = true;
  if (down > 0) fused[1].filled = true;
}

std::vector<const Parameter*> KeyTable::missing() const {
  std::vector<const Parameter*> out;
  for (const Parameter& p : parameters_) {
    if (!p.filled && !(tied_ && name_of(p) == kHeadWeight)) out.push_back(&p);
  }
  return out;
}

std::string KeyTable::reported_name(const container::Tensor& tensor) const {
  return renamed(tensor.name, in_.config.model_class);
}

}  // namespace ckpt::loaders
