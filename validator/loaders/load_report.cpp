#include "validator/loaders/load_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/load_keys.h"
#include "validator/loaders/outcome.h"

namespace ckpt::loaders {
namespace {

using arch::Module;
using arch::ModuleClass;
using config::QuantMethod;

/// What a tensor of another shape than its parameter does.
enum class Misfit : std::uint8_t { none, harmless, breaks };

class Judge {
 public:
  Judge(const LoadInput& in, const KeyTable& keys, const VisibleShards& shards)
      : in_(in), keys_(keys), shards_(shards) {
    if (const config::QuantConfig* q = transformers_quant(in.config)) method_ = q->method;
  }

  /// Exceptions first, then missing keys, then what the values and the config do to the output.
  [[nodiscard]] std::optional<Failure> verdict(const std::vector<const Parameter*>& missing) const {
    if (keys_.conversion_failure()) return keys_.conversion_failure();
    if (auto f = shape_failure()) return f;
    if (auto f = forward_failure(missing)) return f;
    if (!missing.empty()) return random(missing);
    if (auto f = value_failure()) return f;
    return wrong_output();
  }

 private:
  const LoadInput& in_;
  const KeyTable& keys_;
  const VisibleShards& shards_;
  QuantMethod method_ = QuantMethod::unknown;

  static Failure forward(std::string type, std::string why) {
    return {LoadVerdict::fails_forward, std::move(type), std::move(why)};
  }

  static Failure differs(std::string why) {
    return {LoadVerdict::wrong_output, {}, std::move(why)};
  }

  const Module& module(const Parameter& p) const { return in_.blueprint->modules()[p.module]; }

  Shape wanted(const Parameter& p) const {
    const Module& m = module(p);
    const auto experts = static_cast<std::uint64_t>(in_.config.text.num_experts);
    switch (p.kind) {
      case ParameterKind::plain:
        return m.shape;
      case ParameterKind::bias:
        return {m.shape[0]};
      case ParameterKind::fused_gate_up:
        return {experts, 2 * m.shape[0], m.shape[1]};
      case ParameterKind::fused_down:
        return {experts, m.shape[1], m.shape[0]};
      case ParameterKind::packed:
        break;
    }
    return packed_shape(m, *in_.plan->decision(p.module), p.member);
  }

  /// GPTQ layout; empty (no opinion) for compressed-tensors, which computes with what it is given.
  Shape packed_shape(const Module& m, const Decision& d, std::string_view member) const {
    if (method_ != QuantMethod::auto_round) return {};
    const std::uint64_t groups = group_count(d.group_size, m.shape[1]);
    if (member == "qweight") return {word_count(m.shape[1], d.bits), m.shape[0]};
    if (member == "qzeros") return {groups, word_count(m.shape[0], d.bits)};
    return {groups, m.shape[0]};
  }

  Misfit misfit(const Parameter& p) const {
    if (p.tensor == nullptr) return Misfit::none;
    const Shape want = wanted(p);
    const ShapeView got = p.tensor->shape;
    if (want.empty() || std::ranges::equal(want, got)) return Misfit::none;
    if (p.kind == ParameterKind::packed) return Misfit::breaks;
    if (element_count(got) == element_count(want)) return Misfit::harmless;
    // A router that knows fewer experts never picks the others.
    const bool fewer = module(p).cls == ModuleClass::router && got.size() == 2 &&
                       got[0] < want[0] && got[1] == want[1];
    return fewer ? Misfit::harmless : Misfit::breaks;
  }

  std::optional<Failure> shape_failure() const {
    for (const Parameter& p : keys_.parameters()) {
      const Misfit fit = misfit(p);
      if (fit == Misfit::none) continue;
      if (method_ == QuantMethod::unknown) {
        if (in_.ignore_mismatched_sizes) continue;
        return Failure{LoadVerdict::fails_load, "RuntimeError",
                       "size mismatch for " + keys_.name_of(p)};
      }
      if (fit == Misfit::breaks) {
        const bool router = module(p).cls == ModuleClass::router;
        return forward(router ? "IndexError" : "RuntimeError",
                       keys_.name_of(p) + " has another shape than its module");
      }
    }
    return std::nullopt;
  }

  std::optional<Failure> forward_failure(const std::vector<const Parameter*>& missing) const {
    const config::TextConfig& t = in_.config.text;
    if (t.moe && t.num_experts_per_tok > t.num_experts) {
      return forward("RuntimeError", "selected index k out of range");
    }
    if (std::ranges::find(t.layer_types, config::LayerType::full_attention) ==
        t.layer_types.end()) {
      return forward("ValueError", "no full-attention layer keeps the length of the sequence");
    }
    if (keys_.scale_renamed()) return forward("RuntimeError", "FP8 weights without their scale");
    if (method_ == QuantMethod::compressed_tensors) {
      for (const Parameter* p : missing) {
        if (p->member != "weight_shape") continue;
        return forward("RuntimeError",
                       keys_.name_of(*p) + " is missing: the unpacked shape is arbitrary");
      }
    }
    return std::nullopt;
  }

  /// Rows of the stored router of an expert's layer: experts beyond them are never picked.
  std::uint64_t router_rows(const Module& expert) const {
    constexpr std::string_view kExperts = ".experts.";
    const std::string layer = expert.name.substr(0, expert.name.find(kExperts));
    const Parameter* p = keys_.find(layer + ".gate.weight");
    if (p == nullptr || p->tensor == nullptr) return ~0ULL;
    return p->tensor->shape.empty() ? 0 : p->tensor->shape[0];
  }

  /// A missing float buffer that nothing initialises and that the text's logits depend on.
  bool reaches_logits(const Parameter& p) const {
    if (p.member != "scales" && p.member != "weight_scale") return false;
    const Module& m = module(p);
    if (m.cls == ModuleClass::vision) return false;
    return m.expert < 0 || static_cast<std::uint64_t>(m.expert) < router_rows(m);
  }

  Failure random(const std::vector<const Parameter*>& missing) const {
    const bool memory =
        std::ranges::any_of(missing, [this](const Parameter* p) { return reaches_logits(*p); });
    return {
        memory ? LoadVerdict::random_nonfinite : LoadVerdict::random,
        {},
        fmt::format("{} missing, the first {}", missing.size(), keys_.name_of(*missing.front()))};
  }

  std::optional<Failure> value_failure() const {
    if (in_.values == nullptr) return std::nullopt;
    std::optional<Failure> routed;
    for (const Parameter& p : keys_.parameters()) {
      if (p.tensor == nullptr) continue;
      const auto at = static_cast<std::uint32_t>(p.tensor - in_.checkpoint.tensors().data());
      if (!std::ranges::binary_search(in_.values->nonfinite, at)) continue;
      // Experts that take half of all tokens are reached by any text.
      const config::TextConfig& t = in_.config.text;
      if (module(p).expert < 0 || 2 * t.num_experts_per_tok >= t.num_experts) {
        return Failure{LoadVerdict::nonfinite, {}, keys_.name_of(p) + " holds NaN or Inf"};
      }
      routed = differs(keys_.name_of(p) + " holds NaN or Inf, seen when its expert is routed to");
    }
    return routed;
  }

  std::optional<Failure> wrong_output() const {
    for (const Parameter& p : keys_.parameters()) {
      if (misfit(p) != Misfit::none) return differs(keys_.name_of(p) + " has another shape");
    }
    if (in_.values != nullptr && !in_.values->odd.empty()) {
      const std::uint32_t at = in_.values->odd.front();
      return differs(fmt::format("odd values in {}", in_.checkpoint.tensors()[at].name));
    }
    if (auto f = wrong_scheme()) return f;
    if (const Parameter* head = keys_.find("lm_head.weight"); head != nullptr && !head->filled) {
      return differs("the head is missing and tied to the embedding");
    }
    for (const container::Defect& d : in_.checkpoint.defects()) {
      if (d.kind == container::DefectKind::tensor_in_two_shards && shards_.reads(d.file)) {
        return differs(d.message);
      }
    }
    return wrong_dtype();
  }

  std::optional<Failure> wrong_scheme() const {
    if (keys_.scale_missing()) return differs("FP8 weights without their scale");
    if (method_ != QuantMethod::auto_round) return std::nullopt;
    const config::QuantConfig& q = *transformers_quant(in_.config);
    if (q.packing_format == "auto_round" || q.packing_format == "auto_round:gptqmodel") {
      return differs("zero points are read as format v2");
    }
    if (keys_.rounded()) return differs("F32 tensors are rounded while they are renamed");
    return std::nullopt;
  }

  std::optional<Failure> wrong_dtype() const {
    const Parameter* embedding = keys_.find(in_.blueprint->text_prefix() + "embed_tokens.weight");
    if (embedding == nullptr || embedding->tensor == nullptr || in_.config.dtypes.empty()) {
      return std::nullopt;
    }
    const std::string& declared = in_.config.dtypes.front().value;
    const Dtype stored = embedding->tensor->dtype;
    const bool same = declared == "auto" || (declared == "bfloat16" && stored == Dtype::bf16) ||
                      (declared == "float16" && stored == Dtype::f16) ||
                      (declared == "float32" && stored == Dtype::f32);
    if (same) return std::nullopt;
    return differs(fmt::format("computes in {}, stored is {}", declared, dtype_name(stored)));
  }
};

LoadReport failed(const Failure& f) {
  LoadReport r;
  r.verdict = f.verdict;
  r.error = f.error;
  r.why = f.why;
  return r;
}

}  // namespace

std::string_view verdict_name(LoadVerdict verdict) {
  constexpr std::string_view kNames[] = {
      "loads",      "wrong_output",  "nonfinite", "random", "random_nonfinite",
      "fails_load", "fails_forward", "exits"};
  return kNames[static_cast<std::size_t>(verdict)];
}

LoadReport predict_load(const LoadInput& input) {
  const VisibleShards shards = visible_shards(input.checkpoint);
  if (const auto f = start_failure(input, shards)) return failed(*f);
  if (input.blueprint == nullptr || input.plan == nullptr) {
    return failed({LoadVerdict::fails_load, "ValueError", "the architecture is not known"});
  }
  const KeyTable keys(input, shards);
  const std::vector<const Parameter*> missing = keys.missing();
  LoadReport r;
  if (const auto f = Judge(input, keys, shards).verdict(missing)) r = failed(*f);
  if (r.verdict == LoadVerdict::fails_load || !input.list_keys) return r;
  for (const Parameter* p : missing) r.missing.push_back(keys.name_of(*p));
  for (const container::Tensor* t : keys.unexpected()) {
    r.unexpected.push_back(keys.reported_name(*t));
  }
  std::ranges::sort(r.missing);
  std::ranges::sort(r.unexpected);
  return r;
}

}  // namespace ckpt::loaders
