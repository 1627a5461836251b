#include "validator/metrics/attribution.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "validator/metrics/distribution.h"

namespace ckpt::metrics {

using arch::ModuleClass;
using forward::ModulePick;
using forward::Stream;
using forward::Variant;

namespace {

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

std::string kind_name(Unit::Kind kind) {
  return kind == Unit::Kind::layer ? "layer" : kind == Unit::Kind::cls ? "class" : "expert";
}

/// A promotion under consideration.
struct Option {
  Candidate what;
  double gain = 0;

  [[nodiscard]] double density() const {
    return gain / static_cast<double>(std::max<std::uint64_t>(what.extra_bytes, 1));
  }
};

/// Gains per (layer, class): the layer's gain in proportion to the gains of its classes.
std::vector<Option> options_of(std::span<const results::Cost> costs,
                               std::span<const Candidate> candidates) {
  std::map<int, double> layer_gain;
  std::map<std::string, double> class_gain;
  for (const results::Cost& c : costs) {
    const double gain = std::max(0.0, c.gain.value_or(0));
    if (c.kind == "layer") layer_gain[c.layer] = gain;
    if (c.kind == "class") class_gain[c.module_class] = gain;
  }
  std::map<ModuleClass, double> layers_with;
  for (const Candidate& c : candidates) layers_with[c.cls] += 1;
  const auto weight = [&](const Candidate& c) {
    return class_gain[std::string(arch::class_name(c.cls))] / layers_with[c.cls];
  };
  std::map<int, double> total;
  for (const Candidate& c : candidates) total[c.layer] += weight(c);
  std::vector<Option> out;
  for (const Candidate& c : candidates) {
    const double sum = total[c.layer];
    const double gain = sum > 0 ? layer_gain[c.layer] * weight(c) / sum : 0;
    if (gain > 0 && c.extra_bytes > 0) out.push_back({c, gain});
  }
  return out;
}

}  // namespace

ModulePick Unit::pick() const {
  if (kind == Kind::layer) return {.layer = layer};
  if (kind == Kind::cls) return {.any_class = false, .cls = cls};
  return {.layer = layer, .any_class = false, .cls = ModuleClass::routed_expert, .expert = expert};
}

std::vector<Unit> layer_units(const config::TextConfig& config) {
  std::vector<Unit> out;
  for (int l = 0; l < static_cast<int>(config.num_hidden_layers); ++l) {
    out.push_back({.kind = Unit::Kind::layer, .layer = l});
  }
  return out;
}

std::vector<Unit> class_units(const config::TextConfig& config) {
  std::vector<ModuleClass> classes{ModuleClass::full_attention, ModuleClass::linear_attention};
  if (config.moe) {
    classes.insert(classes.end(),
                   {ModuleClass::routed_expert, ModuleClass::shared_expert, ModuleClass::router});
  } else {
    classes.push_back(ModuleClass::dense_mlp);
  }
  classes.insert(classes.end(), {ModuleClass::norm, ModuleClass::embedding, ModuleClass::head});
  std::vector<Unit> out;
  for (const ModuleClass c : classes) out.push_back({.kind = Unit::Kind::cls, .cls = c});
  return out;
}

std::vector<Variant> variants_of(std::span<const Unit> units) {
  std::vector<Variant> out{{Stream::reference, {}}};
  for (const Stream follows : {Stream::reference, Stream::candidate}) {
    for (const Unit& u : units) out.push_back({follows, {u.pick()}});
  }
  return out;
}

std::vector<results::Cost> costs_of(std::span<const Unit> units, const VariantKl& m) {
  std::vector<results::Cost> out;
  const double full = mean(m.kl);
  for (std::size_t i = 0; i < units.size(); ++i) {
    const Unit& u = units[i];
    const results::Distribution cost = summarize(m.variants[1 + i], m.lengths, m.seed);
    results::Cost c;
    c.kind = kind_name(u.kind);
    c.layer = u.layer;
    c.expert = u.expert;
    if (u.kind != Unit::Kind::layer) {
      c.module_class =
          arch::class_name(u.kind == Unit::Kind::cls ? u.cls : ModuleClass::routed_expert);
    }
    c.kl = cost.mean;
    c.se = cost.se;
    c.gain = full - mean(m.variants[1 + units.size() + i]);
    out.push_back(std::move(c));
  }
  return out;
}

double control_of(const VariantKl& m) {
  double most = 0;
  for (const double v : m.variants.front()) {
    if (!(std::abs(v) <= most)) most = std::abs(v);
  }
  return most;
}

double additivity(double kl_full, std::span<const results::Cost> costs) {
  double sum = 0;
  for (const results::Cost& c : costs) sum += c.kl;
  return kl_full / sum;
}

results::Advice advise(double kl_full, double limit, std::span<const results::Cost> costs,
                       std::span<const Candidate> candidates) {
  results::Advice advice;
  advice.limit = limit;
  advice.predicted = kl_full;
  std::vector<Option> options = options_of(costs, candidates);
  std::ranges::stable_sort(
      options, [](const Option& a, const Option& b) { return a.density() > b.density(); });
  std::vector<Option> taken;
  double predicted = kl_full;
  for (const Option& o : options) {
    if (predicted < limit) break;
    taken.push_back(o);
    predicted -= o.gain;
  }
  // A large promotion late in the row may have made earlier ones superfluous, the costliest first.
  for (;;) {
    const auto spare = [&](const Option& o) { return predicted + o.gain < limit; };
    auto most = taken.end();
    for (auto o = taken.begin(); o != taken.end(); ++o) {
      if (spare(*o) && (most == taken.end() || o->what.extra_bytes > most->what.extra_bytes)) {
        most = o;
      }
    }
    if (most == taken.end()) break;
    predicted += most->gain;
    taken.erase(most);
  }
  for (const Option& o : taken) {
    advice.predicted -= o.gain;
    advice.promotions.push_back({o.what.layer, std::string(arch::class_name(o.what.cls)), o.gain,
                                 o.what.extra_bytes, advice.predicted});
    advice.extra_bytes += o.what.extra_bytes;
  }
  advice.reaches = advice.predicted < limit;
  return advice;
}

}  // namespace ckpt::metrics
