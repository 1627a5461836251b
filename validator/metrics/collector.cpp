#include "validator/metrics/collector.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "validator/metrics/distribution.h"
#include "validator/metrics/over_text.h"

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

// Total variation between the gates of both routers for one token.
double gate_distance(const forward::LayerRouting& r, std::size_t token) {
  const auto k = static_cast<std::size_t>(r.top_k);
  const auto ids_r = r.ids_reference.subspan(token * k, k);
  const auto ids_c = r.ids_candidate.subspan(token * k, k);
  const auto g_r = r.weights_reference.subspan(token * k, k);
  const auto g_c = r.weights_candidate.subspan(token * k, k);
  double sum = 0;
  for (std::size_t i = 0; i < k; ++i) {
    const auto at = static_cast<std::size_t>(std::ranges::find(ids_c, ids_r[i]) - ids_c.begin());
    sum += std::abs(double{g_r[i]} - (at < k ? double{g_c[at]} : 0.0));
    if (std::ranges::find(ids_r, ids_c[i]) == ids_r.end()) sum += double{g_c[i]};
  }
  return sum / 2;
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

void Collector::on_routing(int layer, const forward::LayerRouting& r) {
  if (next_ != nullptr) next_->on_routing(layer, r);
  LayerSums& s = record_.layers[layer];
  s.top_k = r.top_k;
  const auto k = static_cast<std::size_t>(r.top_k);
  for (std::size_t t = 0; t < r.margins_reference.size(); ++t) {
    const auto reference = r.ids_reference.subspan(t * k, k);
    const std::int64_t along = shared_ids(reference, r.ids_candidate.subspan(t * k, k));
    s.overlap += static_cast<std::uint64_t>(along);
    s.overlap_local +=
        static_cast<std::uint64_t>(shared_ids(reference, r.ids_local.subspan(t * k, k)));
    s.same_set += along == r.top_k ? 1U : 0U;
    s.ties += r.margins_reference[t] == 0 ? 1U : 0U;
    s.gate_tv += gate_distance(r, t);
    ++s.tokens;
  }
  for (const std::int32_t id : r.ids_candidate) ++record_.experts[{layer, id}].tokens_candidate;
}

void Collector::on_expert(int layer, int expert, const forward::ExpertSquares& e) {
  if (next_ != nullptr) next_->on_expert(layer, expert, e);
  ExpertSums& s = record_.experts[{layer, expert}];
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
  LayerSums& s = record_.layers[layer];
  for (std::size_t t = 0; t < q.difference.size(); ++t) {
    s.hidden_reference += q.hidden_reference[t];
    s.difference += q.difference[t];
    if (!q.update_reference.empty()) s.update += q.update_reference[t];
    s.local += q.local.empty() ? std::numeric_limits<double>::quiet_NaN() : q.local[t];
  }
}

void Collector::on_positions(std::int64_t first, std::span<const kernels::Divergence> positions) {
  if (next_ != nullptr) next_->on_positions(first, positions);
  record_.positions.insert(record_.positions.end(), positions.begin(), positions.end());
}

void Collector::on_variant(std::size_t variant, std::span<const kernels::Divergence> positions) {
  if (next_ != nullptr) next_->on_variant(variant, positions);
  auto& all = record_.variant_kl;
  if (variant >= all.size()) all.resize(variant + 1);
  for (const kernels::Divergence& d : positions) all[variant].push_back(d.kl);
}

Result<void> Collector::on_reference(int layer, std::int64_t first, kernels::Ops& ops,
                                     const kernels::Rows& states) {
  if (next_ == nullptr) return {};
  return next_->on_reference(layer, first, ops, states);
}

Result<void> Collector::on_logits(std::int64_t first, kernels::Ops& ops,
                                  const kernels::Rows& reference, const kernels::Rows& candidate) {
  CKPT_TRY_VOID(keep_tops(ops, reference, candidate), "top tokens");
  if (next_ == nullptr) return {};
  return next_->on_logits(first, ops, reference, candidate);
}

// Logits are read back only where a position enters the worst: a few hundred rows of a run.
Result<void> Collector::keep_tops(kernels::Ops& ops, const kernels::Rows& reference,
                                  const kernels::Rows& candidate) {
  const std::uint64_t begin = record_.positions.size() - static_cast<std::uint64_t>(reference.rows);
  std::vector<TopPair> tops = record_.tops;
  for (std::uint64_t i = begin; i < record_.positions.size(); ++i) tops.push_back({i, {}, {}});
  keep_worst(tops, record_.positions);
  row_.resize(static_cast<std::size_t>(reference.cols));
  for (TopPair& pair : tops) {
    if (pair.index < begin) continue;
    const auto row = static_cast<std::int64_t>(pair.index - begin);
    CKPT_TRY_VOID(ops.read(reference.slice(row, 1), row_), "reference");
    pair.reference = top_tokens(row_);
    CKPT_TRY_VOID(ops.read(candidate.slice(row, 1), row_), "candidate");
    pair.candidate = top_tokens(row_);
  }
  record_.tops = std::move(tops);
  return {};
}

namespace {

/// Turns a record into metrics, a part at a time.
class Finish {
 public:
  Finish(const Record& record, const config::TextConfig& config, std::uint64_t seed)
      : record_(record), config_(config), seed_(seed) {}

  results::Metrics run() const {
    results::Metrics m;
    const std::vector<double> kl = each([](const auto& d) { return d.kl; });
    const auto all = [this](const std::vector<double>& values) {
      return summarize(values, record_.lengths, seed_);
    };
    m.kl = all(kl);
    m.kl_reverse = all(each([](const auto& d) { return d.kl_reverse; }));
    m.js = all(each([](const auto& d) { return d.js; }));
    m.tv = all(each([](const auto& d) { return d.tv; }));
    add_predictions(m);
    add_layers(m);
    add_experts(m);
    add_taps(m);
    m.over_text = over_text_of(record_, kl);
    return m;
  }

 private:
  const Record& record_;
  const config::TextConfig& config_;
  std::uint64_t seed_;

  template <class Get>
  std::vector<double> each(Get get) const {
    std::vector<double> out;
    out.reserve(record_.positions.size());
    for (const kernels::Divergence& d : record_.positions) out.push_back(get(d));
    return out;
  }

  struct Place {
    std::uint64_t sequence = 0, position = 0;
  };

  Place place_of(std::int64_t token) const {
    Place p{0, static_cast<std::uint64_t>(std::max<std::int64_t>(token, 0))};
    while (p.sequence + 1 < record_.lengths.size() && p.position >= record_.lengths[p.sequence]) {
      p.position -= record_.lengths[p.sequence++];
    }
    return p;
  }

  void add_predictions(results::Metrics& m) const {
    std::uint64_t compared = 0, same_top = 0, flips = 0;
    std::vector<double> nll_reference, nll_candidate, delta_p;  // predicted positions
    for (const kernels::Divergence& d : record_.positions) {
      if (!std::isfinite(d.kl)) continue;
      ++compared;
      const bool same = d.argmax_reference == d.argmax_candidate;
      same_top += same ? 1U : 0U;
      flips += !same && d.confidence >= kConfident ? 1U : 0U;
      if (std::isnan(d.label_reference)) continue;  // nothing follows: the sequence ends here
      nll_reference.push_back(d.lse_reference - double{d.label_reference});
      nll_candidate.push_back(d.lse_candidate - double{d.label_candidate});
      delta_p.push_back(std::exp(-nll_candidate.back()) - std::exp(-nll_reference.back()));
    }
    m.top1 = static_cast<double>(same_top) / static_cast<double>(compared);
    m.confident_flips = static_cast<double>(flips) / static_cast<double>(compared);
    m.perplexity_reference = std::exp(mean_of(nll_reference));
    m.perplexity_candidate = std::exp(mean_of(nll_candidate));
    m.nll_correlation = correlation(nll_reference, nll_candidate);
    m.delta_p_mean = mean_of(delta_p);
    double squares = 0;
    for (const double d : delta_p) squares += d * d;
    m.delta_p_rms = std::sqrt(squares / static_cast<double>(delta_p.size()));
  }

  void add_layers(results::Metrics& m) const {
    for (const auto& [layer, s] : record_.layers) {
      results::LayerMetrics l;
      l.layer = layer;
      const auto type = config_.layer_types[static_cast<std::size_t>(layer)];
      l.kind = type == config::LayerType::full_attention ? "full_attention" : "linear_attention";
      const double hidden = s.hidden_reference.value();
      l.local_error = ratio(s.local.value(), s.update.value());
      l.local_error_residual = ratio(s.local.value(), hidden);
      l.propagated_error = ratio(s.difference.value(), hidden);
      l.hidden_norm = std::sqrt(hidden);
      l.boundary_ties = s.ties;
      if (s.tokens > 0) {
        const double slots = static_cast<double>(s.tokens) * static_cast<double>(s.top_k);
        l.router_overlap = static_cast<double>(s.overlap) / slots;
        l.router_overlap_local = static_cast<double>(s.overlap_local) / slots;
        l.router_set_agreement = static_cast<double>(s.same_set) / static_cast<double>(s.tokens);
        l.router_gate_tv = s.gate_tv.value() / static_cast<double>(s.tokens);
      }
      m.layers.push_back(std::move(l));
    }
  }

  void add_experts(results::Metrics& m) const {
    std::map<int, ExactSum> gated;
    for (const auto& [key, s] : record_.experts) gated[key.first].merge(s.gated);
    for (const auto& [key, s] : record_.experts) {
      results::ExpertMetrics e;
      e.layer = key.first;
      e.expert = key.second;
      e.tokens = s.tokens;
      e.tokens_candidate = s.tokens_candidate;
      if (s.tokens > 0) {
        const auto n = static_cast<double>(s.tokens);
        const double difference = s.difference.value();
        if (!std::isnan(difference)) e.error = ratio(difference, s.output.value());
        e.saliency = s.saliency.value() / n;
        e.output_norm = s.norm.value() / n;
        e.mean_gate = s.gate.value() / n;
        if (s.gated.value() > 0) e.error_share = s.gated.value() / gated[key.first].value();
      }
      m.experts.push_back(e);
    }
    mark_super_experts(m.experts);
  }

  // The 0.05 % of all routed experts (rounded up) with the largest mean output norm.
  static void mark_super_experts(std::vector<results::ExpertMetrics>& experts) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < experts.size(); ++i) {
      if (experts[i].tokens > 0) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return experts[a].output_norm > experts[b].output_norm;
    });
    const auto count =
        static_cast<std::size_t>(std::ceil(kSuperShare * static_cast<double>(experts.size())));
    for (std::size_t i = 0; i < std::min(count, order.size()); ++i) {
      experts[order[i]].super_expert = true;
    }
  }

  void add_taps(results::Metrics& m) const {
    std::array<results::NonFinite, 2> first;
    first[0].stream = "reference";
    first[1].stream = "candidate";
    for (const auto& [key, record] : record_.taps.records()) {
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
          first[s].value = double{record.first_value[s]};
          first[s].largest_finite = double{record.range[s].max_abs};
        }
        first[s].count += count;
      }
    }
    for (const results::NonFinite& f : first) {
      if (f.count > 0) m.nonfinite.push_back(f);
      m.nonfinite_count += f.count;
    }
  }
};

}  // namespace

results::Metrics metrics_of(const Record& record, const config::TextConfig& config,
                            std::uint64_t seed) {
  return Finish(record, config, seed).run();
}

std::vector<double> kl_of(const Record& record) {
  std::vector<double> out;
  out.reserve(record.positions.size());
  for (const kernels::Divergence& d : record.positions) out.push_back(d.kl);
  return out;
}

}  // namespace ckpt::metrics
