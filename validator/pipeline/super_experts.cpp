#include "validator/pipeline/super_experts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "validator/rules/rule.h"

namespace ckpt::pipeline {

namespace {

constexpr std::uint64_t kEnoughTokens = 32;

/// Bits of every routed expert, by layer and expert; the narrowest of its three parts.
std::map<std::pair<int, int>, int> expert_bits(const OpenedRepo& o) {
  std::map<std::pair<int, int>, int> out;
  const auto& modules = o.blueprint->modules();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const arch::Module& m = modules[i];
    const quant::Stored& s = o.stored.modules[i];
    if (m.cls != arch::ModuleClass::routed_expert || s.bits == 0) continue;
    const int bits = quant::is_quantized(s.format) ? s.bits : 16;
    const auto [at, fresh] = out.try_emplace({m.layer, m.expert}, bits);
    if (!fresh) at->second = std::min(at->second, bits);
  }
  return out;
}

}  // namespace

void judge_super_experts(const OpenedRepo& candidate, results::Results& r) {
  if (!r.metrics || !candidate.blueprint) return;
  const auto bits = expert_bits(candidate);
  if (bits.empty()) return;
  const auto by_bits = [](const auto& a, const auto& b) { return a.second < b.second; };
  const int narrowest = std::ranges::min_element(bits, by_bits)->second;
  const int widest = std::ranges::max_element(bits, by_bits)->second;
  if (narrowest == widest) return;  // nothing is protected, so nothing was forgotten
  rules::Draft draft;
  for (const results::ExpertMetrics& e : r.metrics->experts) {
    const auto at = bits.find({e.layer, e.expert});
    if (!e.super_expert || e.tokens < kEnoughTokens || at == bits.end() ||
        at->second != narrowest) {
      continue;
    }
    results::Location place;
    place.layer = e.layer;
    place.expert = e.expert;
    place.note = fmt::format("layer {} expert {}: mean output {:.3g} over {} tokens", e.layer,
                             e.expert, e.output_norm, e.tokens);
    draft.where.push_back(std::move(place));
  }
  if (draft.where.empty()) return;
  draft.count = draft.where.size();
  draft.message = fmt::format("{} detected super-expert{} in {} bits, the narrowest width",
                              draft.count, draft.count == 1 ? " is" : "s are", narrowest);
  draft.subject = "super-experts";
  draft.fix = "keep the experts named here at 8 bits or more, and measure again";
  r.findings.push_back(rules::make_finding("NUM006", std::move(draft)));
}

}  // namespace ckpt::pipeline
