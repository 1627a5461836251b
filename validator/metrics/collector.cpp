#include "validator/metrics/collector.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "validator/metrics/distribution.h"

namespace ckpt::metrics {

namespace {

constexpr double kConfident = 0.95;
constexpr double kSuperShare = 0.0005;

double ratio(double part, double whole) {
  return part == 0 ? 0 : std::sqrt(part / whole);
}

// Experts that two choices of K share; each choice has distinct ids.
std::int64_t shared_ids(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  return std::count_if(a.begin(), a.end(), [&](std::int32_t id) {
    return std::find(b.begin(), b.end(), id) != b.end();
  });
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? std::numeric_limits<double>::quiet_NaN()
                        : sum / static_cast<double>(values.size());
}

double correlation(std::span<const double> x, std::span<const double> y) {
  const double mx = mean_of(x);
  const double my = mean_of(y);
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
    xy += (x[i] - mx) * (y[i] - my);
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace

Collector::Collector(const config::TextConfig& config,
                     const std::vector<std::vector<std::int32_t>>& sequences,
                     forward::Observer* next)
    : config_(config), next_(next) {
  for (const auto& sequence : sequences) lengths_.push_back(sequence.size());
}

void Collector::on_routing(int layer, const forward::LayerRouting& r) {
  if (next_ != nullptr) next_->on_routing(layer, r);
  LayerSums& s = layers_[layer];
  s.top_k = r.top_k;
  const auto k = static_cast<std::size_t>(r.top_k);
  for (std::size_t t = 0; t < r.margins_reference.size(); ++t) {
    const auto reference = r.ids_reference.subspan(t * k, k);
    const std::int64_t along = shared_ids(reference, r.ids_candidate.subspan(t * k, k));
    s.overlap += static_cast<double>(along);
    s.overlap_local += static_cast<double>(shared_ids(reference, r.ids_local.subspan(t * k, k)));
    s.same_set += along == r.top_k ? 1U : 0U;
    s.ties += r.margins_reference[t] == 0 ? 1U : 0U;
    ++s.tokens;
  }
}

void Collector::on_expert(int layer, int expert, const forward::ExpertSquares& e) {
  if (next_ != nullptr) next_->on_expert(layer, expert, e);
  ExpertSums& s = experts_[{layer, expert}];
  s.tokens += e.tokens.size();
  for (std::size_t i = 0; i < e.tokens.size(); ++i) {
    const double norm = std::sqrt(e.output[i]);
    s.output += e.output[i];
    s.difference +=
        e.difference.empty() ? std::numeric_limits<double>::quiet_NaN() : e.difference[i];
    if (!e.difference.empty()) s.gated += double{e.gates[i]} * double{e.gates[i]} * e.difference[i];
    s.norm += norm;
    s.gate += double{e.gates[i]};
    s.saliency += double{e.gates[i]} * norm;
  }
}

void Collector::on_layer(int layer, const forward::LayerSquares& q) {
  if (next_ != nullptr) next_->on_layer(layer, q);
  LayerSums& s = layers_[layer];
  for (std::size_t t = 0; t < q.difference.size(); ++t) {
    s.hidden_reference += q.hidden_reference[t];
    s.difference += q.difference[t];
    s.update += q.update_reference[t];
    s.local += q.local.empty() ? std::numeric_limits<double>::quiet_NaN() : q.local[t];
  }
}

void Collector::on_positions(std::int64_t first, std::span<const kernels::Divergence> positions) {
  if (next_ != nullptr) next_->on_positions(first, positions);
  worst_.add(positions);
  for (const kernels::Divergence& d : positions) {
    kl_.push_back(d.kl);
    kl_reverse_.push_back(d.kl_reverse);
    js_.push_back(d.js);
    tv_.push_back(d.tv);
    if (!std::isfinite(d.kl)) continue;
    ++compared_;
    const bool same = d.argmax_reference == d.argmax_candidate;
    same_top_ += same ? 1U : 0U;
    confident_flips_ += !same && d.confidence >= kConfident ? 1U : 0U;
    if (std::isnan(d.label_reference)) continue;  // nothing follows: the sequence ends here
    nll_reference_.push_back(d.lse_reference - double{d.label_reference});
    nll_candidate_.push_back(d.lse_candidate - double{d.label_candidate});
    delta_p_.push_back(std::exp(-nll_candidate_.back()) - std::exp(-nll_reference_.back()));
  }
}

void Collector::on_variant(std::size_t variant, std::span<const kernels::Divergence> positions) {
  if (next_ != nullptr) next_->on_variant(variant, positions);
  if (variant >= variant_kl_.size()) variant_kl_.resize(variant + 1);
  for (const kernels::Divergence& d : positions) variant_kl_[variant].push_back(d.kl);
}

Result<void> Collector::on_logits(std::int64_t first, kernels::Ops& ops,
                                  const kernels::Rows& reference, const kernels::Rows& candidate) {
  if (next_ == nullptr) return {};
  return next_->on_logits(first, ops, reference, candidate);
}

Collector::Place Collector::place_of(std::int64_t token) const {
  Place p{0, static_cast<std::uint64_t>(std::max<std::int64_t>(token, 0))};
  while (p.sequence + 1 < lengths_.size() && p.position >= lengths_[p.sequence]) {
    p.position -= lengths_[p.sequence++];
  }
  return p;
}

void Collector::add_predictions(results::Metrics& m) const {
  const auto compared = static_cast<double>(compared_);
  m.top1 = static_cast<double>(same_top_) / compared;
  m.confident_flips = static_cast<double>(confident_flips_) / compared;
  m.perplexity_reference = std::exp(mean_of(nll_reference_));
  m.perplexity_candidate = std::exp(mean_of(nll_candidate_));
  m.nll_correlation = correlation(nll_reference_, nll_candidate_);
  m.delta_p_mean = mean_of(delta_p_);
  double squares = 0;
  for (const double d : delta_p_) squares += d * d;
  m.delta_p_rms = std::sqrt(squares / static_cast<double>(delta_p_.size()));
}

void Collector::add_layers(results::Metrics& m) const {
  for (const auto& [layer, s] : layers_) {
    results::LayerMetrics l;
    l.layer = layer;
    const auto type = config_.layer_types[static_cast<std::size_t>(layer)];
    l.kind = type == config::LayerType::full_attention ? "full_attention" : "linear_attention";
    l.local_error = ratio(s.local, s.update);
    l.local_error_residual = ratio(s.local, s.hidden_reference);
    l.propagated_error = ratio(s.difference, s.hidden_reference);
    l.hidden_norm = std::sqrt(s.hidden_reference);
    l.boundary_ties = s.ties;
    if (s.tokens > 0) {
      const double slots = static_cast<double>(s.tokens) * static_cast<double>(s.top_k);
      l.router_overlap = s.overlap / slots;
      l.router_overlap_local = s.overlap_local / slots;
      l.router_set_agreement = static_cast<double>(s.same_set) / static_cast<double>(s.tokens);
    }
    m.layers.push_back(std::move(l));
  }
}

// Super experts: the 0.05 % of all routed experts (rounded up) with the largest mean output norm.
void Collector::add_experts(results::Metrics& m) const {
  std::map<int, double> gated;
  for (const auto& [key, s] : experts_) gated[key.first] += s.gated;
  for (const auto& [key, s] : experts_) {
    results::ExpertMetrics e;
    e.layer = key.first;
    e.expert = key.second;
    e.tokens = s.tokens;
    if (s.tokens > 0) {
      const auto n = static_cast<double>(s.tokens);
      if (!std::isnan(s.difference)) e.error = ratio(s.difference, s.output);
      e.saliency = s.saliency / n;
      e.output_norm = s.norm / n;
      e.mean_gate = s.gate / n;
      if (s.gated > 0) e.error_share = s.gated / gated[key.first];
    }
    m.experts.push_back(e);
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < m.experts.size(); ++i) {
    if (m.experts[i].tokens > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return m.experts[a].output_norm > m.experts[b].output_norm;
  });
  const auto count =
      static_cast<std::size_t>(std::ceil(kSuperShare * static_cast<double>(m.experts.size())));
  for (std::size_t i = 0; i < std::min(count, order.size()); ++i) {
    m.experts[order[i]].super_expert = true;
  }
}

void Collector::add_taps(const forward::Taps& taps, results::Metrics& m) const {
  std::array<results::NonFinite, 2> first;
  first[0].stream = "reference";
  first[1].stream = "candidate";
  for (const auto& [key, record] : taps.records()) {
    const bool beyond = key.first == static_cast<int>(config_.num_hidden_layers);
    results::Headroom h;
    h.layer = beyond ? -1 : key.first;
    h.point = forward::point_name(key.second);
    h.max_abs_reference = double{record.range[0].max_abs};
    h.max_abs_candidate = double{record.range[1].max_abs};
    h.above_f16_reference = record.range[0].above_f16;
    h.above_f16_candidate = record.range[1].above_f16;
    m.headroom.push_back(h);
    for (std::size_t s = 0; s < 2; ++s) {
      const std::uint64_t count = record.range[s].nonfinite;
      if (count > 0 && first[s].count == 0) {
        const Place place = place_of(record.first_token[s]);
        first[s].layer = h.layer;
        first[s].op = h.point;
        first[s].sequence = place.sequence;
        first[s].position = place.position;
      }
      first[s].count += count;
    }
  }
  for (const results::NonFinite& f : first) {
    if (f.count > 0) m.nonfinite.push_back(f);
    m.nonfinite_count += f.count;
  }
}

results::Metrics Collector::finish(const forward::Taps& taps) const {
  results::Metrics m;
  m.kl = summarize(kl_, lengths_);
  m.kl_reverse = summarize(kl_reverse_, lengths_);
  m.js = summarize(js_, lengths_);
  m.tv = summarize(tv_, lengths_);
  add_predictions(m);
  add_layers(m);
  add_experts(m);
  add_taps(taps, m);
  m.over_text = worst_.finish(kl_, lengths_);
  return m;
}

}  // namespace ckpt::metrics
