#include "validator/pipeline/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "validator/metrics/attribution.h"
#include "validator/metrics/collector.h"
#include "validator/weights/model.h"

namespace ckpt::pipeline {

namespace {

using arch::ModuleClass;
using metrics::Unit;
using results::Attribution;
using results::Cost;

/// The gate of the shared expert goes where its expert goes.
ModuleClass cost_class(const arch::Module& m) {
  return m.cls == ModuleClass::shared_expert_gate ? ModuleClass::shared_expert : m.cls;
}

class AttributionRun {
 public:
  AttributionRun(const KlArgs& args, const AttributionArgs& attribution)
      : args_(args),
        how_(attribution),
        reference_(args.reference.checkpoint, args.reference.config, *args.reference.blueprint,
                   args.reference.stored),
        candidate_(args.candidate.checkpoint, args.candidate.config, *args.candidate.blueprint,
                   args.candidate.stored) {
    for (const auto& s : args.sequences) lengths_.push_back(s.size());
  }

  Result<KlOutcome> run() {
    const config::TextConfig& text = args_.reference.config.text;
    std::vector<Unit> units;
    if (how_.detail != AttributionDetail::cls) units = metrics::layer_units(text);
    if (how_.detail != AttributionDetail::layer) {
      const std::vector<Unit> classes = metrics::class_units(text);
      units.insert(units.end(), classes.begin(), classes.end());
    }
    const std::vector<forward::Variant> variants = metrics::variants_of(units);
    say(fmt::format("{} streams beside the two", variants.size()));
    KlArgs args = args_;
    args.variants = variants;
    CKPT_TRY(KlOutcome out, run_kl(args), "attribution");
    Attribution a;
    const std::vector<double> kl = metrics::kl_of(out.record);
    const metrics::VariantKl measured{kl, out.record.variant_kl, lengths_, args_.seed};
    a.control = metrics::control_of(measured);
    a.costs = metrics::costs_of(units, measured);
    for (Cost& c : a.costs) weigh(c);
    sum_up(out.metrics.kl.mean, a);
    if (how_.detail == AttributionDetail::expert) {
      CKPT_TRY_VOID(measure_experts(out.metrics, a), "experts");
    }
    if (how_.limit && out.metrics.kl.mean >= *how_.limit) {
      CKPT_TRY_VOID(advise(out.metrics.kl.mean, a), "advice");
    }
    out.metrics.attribution = std::move(a);
    return out;
  }

 private:
  const KlArgs& args_;
  const AttributionArgs& how_;
  weights::Model reference_;
  weights::Model candidate_;
  std::vector<std::uint64_t> lengths_;

  void say(const std::string& text) const {
    if (args_.note) args_.note(text);
  }

  static void sum_up(double kl, Attribution& a) {
    std::vector<Cost> layers, classes;
    for (const Cost& c : a.costs) (c.kind == "layer" ? layers : classes).push_back(c);
    if (kl == 0) return;  // nothing to share out
    if (!layers.empty()) a.layer_additivity = metrics::additivity(kl, layers);
    if (!classes.empty()) a.class_additivity = metrics::additivity(kl, classes);
  }

  /// Bytes of the modules of a layer, class or expert on both sides.
  void weigh(Cost& c) const {
    c.bytes_reference = bytes(reference_, c);
    c.bytes_candidate = bytes(candidate_, c);
  }

  static std::uint64_t bytes(const weights::Model& model, const Cost& c) {
    std::uint64_t sum = 0;
    const auto& modules = model.blueprint().modules();
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
      const arch::Module& m = modules[i];
      if (m.cls == ModuleClass::vision || m.cls == ModuleClass::mtp) continue;
      if (c.layer >= 0 && m.layer != c.layer) continue;
      if (c.expert >= 0 && m.expert != c.expert) continue;
      if (!c.module_class.empty() && arch::class_name(cost_class(m)) != c.module_class) continue;
      sum += model.bytes(i);
    }
    return sum;
  }

  /// The experts whose local errors let expect most, measured one by one.
  Result<void> measure_experts(const results::Metrics& m, Attribution& a) const {
    std::map<int, double> layer_kl;
    for (const Cost& c : a.costs) {
      if (c.kind == "layer") layer_kl[c.layer] = c.kl;
    }
    std::vector<std::pair<double, const results::ExpertMetrics*>> guesses;
    for (const results::ExpertMetrics& e : m.experts) {
      const double guess = layer_kl[e.layer] * e.error_share;
      if (guess > 0) guesses.emplace_back(guess, &e);
    }
    std::ranges::stable_sort(guesses,
                             [](const auto& x, const auto& y) { return x.first > y.first; });
    guesses.resize(std::min(guesses.size(), how_.top_experts));
    if (guesses.empty()) return {};
    std::vector<Unit> units;
    for (const auto& [guess, e] : guesses) {
      units.push_back({.kind = Unit::Kind::expert, .layer = e->layer, .expert = e->expert});
    }
    say(fmt::format("measuring {} experts in a second pass over the weights", units.size()));
    CKPT_TRY(const KlOutcome out, again(metrics::variants_of(units)), "experts");
    const std::vector<double> kl = metrics::kl_of(out.record);
    std::vector<Cost> costs =
        metrics::costs_of(units, {kl, out.record.variant_kl, lengths_, args_.seed});
    for (std::size_t i = 0; i < costs.size(); ++i) {
      costs[i].guess = guesses[i].first;
      weigh(costs[i]);
      a.costs.push_back(std::move(costs[i]));
    }
    return {};
  }

  /// A further pass for some variants alone.
  Result<KlOutcome> again(const std::vector<forward::Variant>& variants) const {
    KlArgs args = args_;
    args.variants = variants;
    args.local = false;
    args.noise_floor = false;
    args.journal.clear();
    args.observer = nullptr;
    args.explain_overflow = false;
    args.note = {};
    return run_kl(args);
  }

  /// What could stay as the reference has it: every class of every layer that is smaller here.
  std::vector<metrics::Candidate> candidates() const {
    std::map<std::pair<int, ModuleClass>, std::int64_t> extra;
    const auto& modules = candidate_.blueprint().modules();
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
      const arch::Module& m = modules[i];
      if (m.layer < 0 || m.cls == ModuleClass::vision || m.cls == ModuleClass::mtp) continue;
      extra[{m.layer, cost_class(m)}] -= static_cast<std::int64_t>(candidate_.bytes(i));
    }
    const auto& others = reference_.blueprint().modules();
    for (std::uint32_t i = 0; i < others.size(); ++i) {
      const arch::Module& m = others[i];
      if (m.layer < 0 || m.cls == ModuleClass::vision || m.cls == ModuleClass::mtp) continue;
      extra[{m.layer, cost_class(m)}] += static_cast<std::int64_t>(reference_.bytes(i));
    }
    std::vector<metrics::Candidate> out;
    for (const auto& [key, bytes] : extra) {
      // Norms are no part of a quantization config, so nobody can promote them.
      if (key.second == ModuleClass::norm) continue;
      if (bytes > 0) out.push_back({key.first, key.second, static_cast<std::uint64_t>(bytes)});
    }
    return out;
  }

  Result<void> advise(double kl, Attribution& a) const {
    if (how_.detail == AttributionDetail::layer || how_.detail == AttributionDetail::cls) return {};
    const std::vector<metrics::Candidate> choices = candidates();
    constexpr int kRounds = 3;
    double limit = *how_.limit;
    for (int round = 0; round < kRounds; ++round) {
      results::Advice advice = metrics::advise(kl, limit, a.costs, choices);
      advice.limit = *how_.limit;
      if (how_.confirm && !advice.promotions.empty()) {
        CKPT_TRY(advice.measured, confirm(advice), "confirmation");
        advice.reaches = *advice.measured < *how_.limit;
      }
      const double missed = advice.measured.value_or(0) - advice.predicted;
      write_fragment(args_.candidate, advice);
      a.advice = std::move(advice);
      if (a.advice->reaches || !a.advice->measured || missed <= 0) break;
      limit -= missed;  // gains did not add up: aim lower by as much
    }
    return {};
  }

  Result<double> confirm(const results::Advice& advice) const {
    forward::Variant restored{forward::Stream::candidate, {}};
    for (const results::Promotion& p : advice.promotions) {
      restored.picks.push_back(
          {.layer = p.layer, .any_class = false, .cls = class_of(p.module_class)});
    }
    say("confirming the advice in a further pass over the weights");
    CKPT_TRY(const KlOutcome out, again({restored}), "confirmation");
    double sum = 0;
    for (const double v : out.record.variant_kl.front()) sum += v;
    return sum / static_cast<double>(out.record.variant_kl.front().size());
  }

  static ModuleClass class_of(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(ModuleClass::mtp); ++i) {
      const auto cls = static_cast<ModuleClass>(i);
      if (arch::class_name(cls) == name) return cls;
    }
    return ModuleClass::norm;
  }
};

/// The modules of a class below its layer.
std::string_view class_path(std::string_view module_class) {
  if (module_class == "full_attention") return "self_attn";
  if (module_class == "linear_attention") return "linear_attn";
  if (module_class == "routed_expert") return "mlp.experts";
  if (module_class == "shared_expert") return "mlp.shared_expert";
  if (module_class == "router") return "mlp.gate";
  return "mlp";
}

std::string escaped_dots(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '.' ? std::string(R"(\\.)") : std::string(1, c);
  return out;
}

}  // namespace

void write_fragment(const OpenedRepo& candidate, results::Advice& advice) {
  if (!candidate.config.quant || !candidate.blueprint || advice.promotions.empty()) return;
  const config::QuantConfig& quant = *candidate.config.quant;
  const std::string& prefix = candidate.blueprint->text_prefix();
  std::vector<std::string> lines;
  for (const results::Promotion& p : advice.promotions) {
    const std::string path =
        fmt::format("{}layers.{}.{}", prefix, p.layer, class_path(p.module_class));
    switch (quant.method) {
      case config::QuantMethod::auto_round:  // read as a regex by every loader (loaders, 2.3)
        advice.setting = "extra_config";
        lines.push_back(fmt::format(R"("{}.*": {{"bits": 16, "data_type": "fp"}})", path));
        break;
      case config::QuantMethod::compressed_tensors:
        advice.setting = "ignore";
        lines.push_back(fmt::format(R"("re:.*layers\\.{}\\.{}.*")", p.layer,
                                    escaped_dots(class_path(p.module_class))));
        break;
      case config::QuantMethod::gptq:
        advice.setting = "dynamic";
        lines.push_back(fmt::format(R"("-:.*layers\\.{}\\.{}\\..*": {{}})", p.layer,
                                    escaped_dots(class_path(p.module_class))));
        break;
      case config::QuantMethod::awq:
      case config::QuantMethod::fp8:
        advice.setting = "modules_to_not_convert";
        lines.push_back(fmt::format(R"("{}")", path));
        break;
      default:
        return;
    }
  }
  advice.fragment = fmt::format("{}", fmt::join(lines, ",\n"));
}

Result<KlOutcome> run_attribution(const KlArgs& args, const AttributionArgs& attribution) {
  CKPT_TRY_VOID(check_comparable(args.reference, args.candidate), "comparison");
  return AttributionRun(args, attribution).run();
}

}  // namespace ckpt::pipeline
