// The streamed forward pass against numbers of transformers 5.17 and auto-round 0.15.1 (README of
// the golden data: definitions and tolerances).

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/e2e/golden.h"

namespace ckpt::e2e {

namespace {

const PairCase kA{fixture_root(), "A-causallm-bf16", "A-causallm-w4a16-autoround", "tokens_A"};
const PairCase kM{fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-w4a16-autoround", "tokens_S"};

struct Run {
  std::unique_ptr<pipeline::OpenedRepo> reference, candidate;
  std::vector<std::vector<std::int32_t>> tokens;
  Recorder recorder;
  results::Metrics metrics;
  std::string error;
};

struct Options {
  unsigned threads = 2;
  forward::Mode mode = forward::Mode::fp32;
  std::uint64_t memory = 1ULL << 30;
  std::string reference_logits;
  bool bf16_weights = false;
  bool exact_router = true;
  bool local = true;
};

std::unique_ptr<Run> run_pair(const PairCase& c, const Options& options) {
  auto run = std::make_unique<Run>();
  auto reference = pipeline::open_target(c.root + "/models/" + c.reference);
  auto candidate = pipeline::open_target(c.root + "/models/" + c.candidate);
  REQUIRE(reference);
  REQUIRE(candidate);
  run->reference = *std::move(reference);
  run->candidate = *std::move(candidate);
  run->tokens = read_tokens(c);
  REQUIRE_FALSE(run->tokens.empty());
  run->recorder.reference_golden = read_logits(
      options.reference_logits.empty() ? c.golden(c.reference, "ref_logits_seq0_f32.safetensors")
                                       : options.reference_logits);
  run->recorder.candidate_golden =
      read_logits(c.golden(c.candidate, "quant_logits_seq0_f32.safetensors"));
  ThreadPool pool(options.threads);
  NoProgress progress;
  auto metrics = pipeline::run_kl({.reference = *run->reference,
                                   .candidate = *run->candidate,
                                   .sequences = run->tokens,
                                   .pool = pool,
                                   .progress = progress,
                                   .mode = options.mode,
                                   .exact_router = options.exact_router,
                                   .local = options.local,
                                   .bf16_weights = options.bf16_weights,
                                   .memory_bytes = options.memory,
                                   .stop = {},
                                   .note = {},
                                   .observer = &run->recorder});
  if (metrics) {
    run->metrics = std::move(metrics->metrics);
  } else {
    run->error = metrics.error().message;
  }
  return run;
}

bool close(double got, double want, double tolerance) {
  return std::abs(got - want) <= tolerance;
}

// Largest |got - want| - (absolute + relative |want|); at most 0 when all agree.
double excess(const std::vector<double>& got, const std::vector<double>& want, double absolute,
              double relative) {
  if (got.size() != want.size()) return 1e300;
  double worst = -1e300;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double over = std::abs(got[i] - want[i]) - absolute - relative * std::abs(want[i]);
    if (!(over <= worst)) worst = over;
  }
  return worst;
}

template <class Get>
std::vector<double> each(const std::vector<kernels::Divergence>& positions, Get get) {
  std::vector<double> out;
  for (const kernels::Divergence& d : positions) out.push_back(get(d));
  return out;
}

void check_pair_summary(const PairCase& c, const Run& run) {
  const auto document = read_golden(c.golden(c.candidate, "pair_summary.json"));
  REQUIRE(document != nullptr);
  const json::Value pair = document->root();
  const results::Metrics& m = run.metrics;
  const json::Value kl = pair.find("kl_ref_quant_nats");
  MESSAGE(c.candidate << ": mean KL " << m.kl.mean << ", golden " << number(kl.find("mean"))
                      << ", relative " << m.kl.mean / number(kl.find("mean")) - 1);
  CHECK(close(m.kl.mean, number(kl.find("mean")), 1e-4 * number(kl.find("mean"))));
  CHECK(close(m.kl.median, number(kl.find("median")), 2e-6 + 2e-4 * m.kl.median));
  CHECK(close(m.kl.percentiles.at("90"), number(kl.find("p90")), 2e-6 + 2e-4 * m.kl.max));
  CHECK(close(m.kl.percentiles.at("99"), number(kl.find("p99")), 2e-6 + 2e-4 * m.kl.max));
  CHECK(close(m.kl.max, number(kl.find("max")), 2e-6 + 2e-4 * m.kl.max));
  const double reverse = number(pair.find("kl_quant_ref_nats_mean"));
  CHECK(close(m.kl_reverse.mean, reverse, 1e-4 * reverse));
  CHECK(m.top1 == doctest::Approx(number(pair.find("top1_agreement"))).epsilon(1e-9));
  for (const auto& [got, name] : {std::pair{m.perplexity_reference, "perplexity_ref"},
                                  std::pair{m.perplexity_candidate, "perplexity_quant"}}) {
    CHECK(close(got, number(pair.find(name)), 1e-4 * got));
  }
  const auto& p = run.recorder.positions;
  const auto kls = each(p, [](const auto& d) { return d.kl; });
  CHECK(excess(kls, flat(pair.find("kl_per_position")), 2e-6, 2e-4) <= 0);
  const auto lse = each(p, [](const auto& d) { return d.lse_candidate; });
  CHECK(excess(lse, flat(pair.find("logsumexp_quant")), 1e-4, 0) <= 0);
  const auto top = each(p, [](const auto& d) { return static_cast<double>(d.argmax_candidate); });
  CHECK(excess(top, flat(pair.find("argmax_quant")), 0, 0) <= 0);
}

void check_reference_summary(const PairCase& c, const Run& run) {
  const auto document = read_golden(c.golden(c.reference, "ref_summary.json"));
  REQUIRE(document != nullptr);
  const json::Value summary = document->root();
  const auto& p = run.recorder.positions;
  const auto lse = each(p, [](const auto& d) { return d.lse_reference; });
  CHECK(excess(lse, flat(summary.find("logsumexp")), 1e-4, 0) <= 0);
  const auto peak = each(p, [](const auto& d) { return double{d.max_reference}; });
  CHECK(excess(peak, flat(summary.find("logit_max")), 1e-4, 0) <= 0);
  std::vector<double> nll;
  double entropy = 0;
  for (const kernels::Divergence& d : p) {
    entropy += d.entropy / static_cast<double>(p.size());
    if (std::isnan(d.label_reference)) continue;
    nll.push_back(d.lse_reference - double{d.label_reference});
  }
  CHECK(excess(nll, flat(summary.find("nll_per_position")), 1e-4, 0) <= 0);
  CHECK(close(entropy, number(summary.find("entropy_mean")), 1e-5));
}

void check_layers(const PairCase& c, const Run& run) {
  const auto pair = read_golden(c.golden(c.candidate, "pair_summary.json"));
  const auto summary = read_golden(c.golden(c.reference, "ref_summary.json"));
  REQUIRE(pair != nullptr);
  REQUIRE(summary != nullptr);
  const auto errors = flat(pair->root().find("hidden_rel_err"));
  const auto norms = flat(summary->root().find("hidden_l2"));
  const auto sets = flat(pair->root().find("router_topk_set_agreement_per_layer"));
  const auto& layers = run.metrics.layers;
  REQUIRE(layers.size() + 1 == errors.size());
  for (std::size_t l = 0; l < layers.size(); ++l) {
    CAPTURE(l);
    CHECK(close(layers[l].propagated_error, errors[l + 1], 1e-3 * errors[l + 1]));
    CHECK(close(layers[l].hidden_norm, norms[l + 1], 1e-5 * norms[l + 1]));
    CHECK(layers[l].router_set_agreement == doctest::Approx(sets[l]).epsilon(1e-9));
    CHECK(layers[l].router_overlap_local == 1);  // the router is stored unquantized
    CHECK(layers[l].local_error > 0);
    CHECK(layers[l].local_error < 1);
  }
}

const results::ExpertMetrics* find_expert(const Run& run, int layer, int expert) {
  for (const results::ExpertMetrics& e : run.metrics.experts) {
    if (e.layer == layer && e.expert == expert) return &e;
  }
  return nullptr;
}

void check_experts(const PairCase& c, const Run& run) {
  const auto errors = read_golden(c.golden(c.candidate, "expert_rel_err.json"));
  const auto saliency = read_golden(c.golden(c.reference, "ref_reap_saliency.json"));
  REQUIRE(errors != nullptr);
  REQUIRE(saliency != nullptr);
  std::size_t seen = 0;
  errors->root().each_member([&](const json::Member& layer) {
    layer.value.each([&](const json::Value& e) {
      const auto id = static_cast<int>(e.find("expert").integer().value_or(-1));
      const auto* got = find_expert(run, std::stoi(std::string(layer.name)), id);
      REQUIRE(got != nullptr);
      CHECK(got->tokens == e.find("tokens").unsigned_integer());
      const auto want = e.find("rel_err").number();
      CHECK(got->error.has_value() == want.has_value());
      if (want && got->error) CHECK(close(*got->error, *want, 1e-4 * *want));
      ++seen;
    });
  });
  saliency->root().each_member([&](const json::Member& layer) {
    layer.value.each([&](const json::Value& e) {
      const auto id = static_cast<int>(e.find("expert").integer().value_or(-1));
      const auto* got = find_expert(run, std::stoi(std::string(layer.name)), id);
      REQUIRE(got != nullptr);
      if (got->tokens == 0) return;
      for (const auto& [value, name] :
           {std::pair{got->saliency, "saliency"}, std::pair{got->output_norm, "mean_output_norm"},
            std::pair{got->mean_gate, "mean_gate"}}) {
        const double want = number(e.find(name));
        CHECK(close(value, want, 1e-5 * want));
      }
    });
  });
  CHECK(seen == run.metrics.experts.size());
}

// Sets of experts equal wherever the golden's margin exceeds rounding; weights in golden order.
void check_router(const PairCase& c, const std::string& repo, const std::string& file,
                  const Run& run, bool candidate) {
  const auto document = read_golden(c.golden(repo, file));
  REQUIRE(document != nullptr);
  std::size_t compared = 0;
  document->root().each_member([&](const json::Member& layer) {
    const auto& got = run.recorder.routing.at(std::stoi(std::string(layer.name)));
    const auto& ids = candidate ? got.candidate : got.reference;
    const auto& weights = candidate ? got.weights_candidate : got.weights_reference;
    const auto want_ids = flat(layer.value.find("topk_ids"));
    const auto want_weights = flat(layer.value.find("topk_weights"));
    const auto margins = flat(layer.value.find("kth_margin_seq0"));
    const auto k = static_cast<std::size_t>(got.top_k);
    for (std::size_t t = 0; t < want_ids.size() / k; ++t) {
      if (t < margins.size() && margins[t] <= 1e-5) continue;
      for (std::size_t i = t * k; i < (t + 1) * k; ++i) {
        const auto* begin = ids.data() + t * k;
        const auto* found = std::find(begin, begin + k, static_cast<std::int32_t>(want_ids[i]));
        REQUIRE(found != begin + k);
        CHECK(close(double{weights[static_cast<std::size_t>(found - ids.data())]}, want_weights[i],
                    1e-5));
        ++compared;
      }
    }
  });
  CHECK(compared > 0);
}

// The top tokens of the worst positions against rows sorted whole.
void check_tops(const Run& run) {
  REQUIRE(run.metrics.over_text.has_value());
  REQUIRE_FALSE(run.metrics.over_text->positions.empty());
  const auto check = [](const std::vector<results::TokenChance>& got, const Recorder::Top& want) {
    REQUIRE(got.size() == 5);
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(got[i].id == want[i].first);
      CHECK(close(got[i].log_p, want[i].second, 1e-5));
    }
  };
  for (const results::WorstPosition& w : run.metrics.over_text->positions) {
    std::size_t index = w.position;
    for (std::size_t s = 0; s < w.sequence; ++s) index += run.tokens[s].size();
    check(w.reference_top, run.recorder.top_reference[index]);
    check(w.candidate_top, run.recorder.top_candidate[index]);
    CHECK(w.reference_top.front().id == w.reference_id);
    CHECK(w.candidate_top.front().id == w.candidate_id);
    CHECK(close(std::exp(w.candidate_top.front().log_p), w.candidate_p, 1e-12));
  }
}

// Tokens per expert of both routers, and how far their gates are apart, from the choices
// themselves.
void check_routing(const Run& run) {
  std::map<std::pair<int, int>, std::array<std::uint64_t, 2>> counts;
  for (const auto& [layer, r] : run.recorder.routing) {
    for (const std::int32_t e : r.reference) ++counts[{layer, e}][0];
    for (const std::int32_t e : r.candidate) ++counts[{layer, e}][1];
    const auto k = static_cast<std::size_t>(r.top_k);
    double apart = 0;
    for (std::size_t t = 0; t < r.reference.size() / k; ++t) {
      std::map<std::int32_t, double> gates;
      for (std::size_t i = t * k; i < (t + 1) * k; ++i) {
        gates[r.reference[i]] += double{r.weights_reference[i]};
        gates[r.candidate[i]] -= double{r.weights_candidate[i]};
      }
      for (const auto& [expert, g] : gates) apart += 0.5 * std::abs(g);
    }
    const auto at = std::ranges::find(run.metrics.layers, layer, &results::LayerMetrics::layer);
    REQUIRE(at != run.metrics.layers.end());
    REQUIRE(at->router_gate_tv.has_value());
    CHECK(close(*at->router_gate_tv,
                apart * static_cast<double>(k) / static_cast<double>(r.reference.size()), 1e-12));
  }
  for (const results::ExpertMetrics& e : run.metrics.experts) {
    const auto& want = counts[{e.layer, e.expert}];
    CHECK(e.tokens == want[0]);
    REQUIRE(e.tokens_candidate.has_value());
    CHECK(*e.tokens_candidate == want[1]);
  }
}

void check_logits(const PairCase& c, const Run& run) {
  for (const LogitError* e : {&run.recorder.reference_error, &run.recorder.candidate_error}) {
    if (e->positions == 0) continue;
    MESSAGE(c.candidate << ": logits max abs " << e->max_abs << ", relative L2 " << e->relative()
                        << " over " << e->positions << " positions");
    CHECK(e->max_abs <= 1e-4);
    CHECK(e->relative() <= 2e-6);
  }
  CHECK(run.recorder.candidate_error.positions > 0);
}

void check_everything(const PairCase& c, const Options& options) {
  const auto run = run_pair(c, options);
  REQUIRE(run->error == "");
  CHECK(run->metrics.nonfinite.empty());
  CHECK(run->metrics.kl.nonfinite == 0);
  check_pair_summary(c, *run);
  check_reference_summary(c, *run);
  check_layers(c, *run);
  check_experts(c, *run);
  check_router(c, c.reference, "ref_router_seq0.json", *run, false);
  check_router(c, c.candidate, "quant_router_seq0.json", *run, true);
  check_logits(c, *run);
  check_tops(*run);
  check_routing(*run);
}

// Every number of a run as text, for equality.
std::string fingerprint(const Run& run) {
  results::Results all;
  all.metrics = run.metrics;
  std::string out = results::to_json(all);
  for (const kernels::Divergence& d : run.recorder.positions) {
    out += std::to_string(std::bit_cast<std::uint64_t>(d.kl)) + ' ';
  }
  return out;
}

}  // namespace

TEST_CASE("pair A (causal LM, 8 layers, 12 experts, int4 group 128) agrees with transformers") {
  Options options;
  if (const auto shared = shared_root()) {
    options.reference_logits = *shared + "/goldens/A-causallm-bf16/ref_logits_seq0_f32.safetensors";
  }
  check_everything(kA, options);
}

// The golden runs of the nested models B and M hold the decoded weights rounded to BF16 (their
// weight errors do not): with that rounding every number agrees, without it the mean KL by 0.3 %.
TEST_CASE("pair M (nested, MTP, group 32) agrees with transformers") {
  check_everything(kM, {.bf16_weights = true});
}

TEST_CASE("pair B (three shards, F32 A_log, two groups per row) agrees with transformers") {
  const auto shared = shared_root();
  if (!shared) {
    MESSAGE("skipped: pair B is not beside the source tree");
    return;
  }
  check_everything({*shared, "B-vl-bf16", "B-vl-w4a16-autoround", "tokens_B"},
                   {.bf16_weights = true});
}

TEST_CASE("unrounded weights move the mean KL of pair M by less than 0.5 %") {
  const auto run = run_pair(kM, {});
  REQUIRE(run->error == "");
  const auto document = read_golden(kM.golden(kM.candidate, "pair_summary.json"));
  REQUIRE(document != nullptr);
  const double golden = number(document->root().find("kl_ref_quant_nats").find("mean"));
  CHECK(close(run->metrics.kl.mean, golden, 5e-3 * golden));
  CHECK_FALSE(close(run->metrics.kl.mean, golden, 1e-3 * golden));
}

TEST_CASE("pairs S (GPTQ v1, AWQ and FP8 in ragged blocks) agree with transformers") {
  const auto shared = shared_root();
  if (!shared) {
    MESSAGE("skipped: the models S are not beside the source tree");
    return;
  }
  for (const char* candidate :
       {"S-causallm-gptq-w4g32", "S-causallm-awq-w4g32", "S-causallm-fp8-block128"}) {
    check_everything({*shared, "S-causallm-bf16", candidate, "tokens_S"}, {});
  }
}

TEST_CASE("pair A, W4 experts and W8 attention in compressed-tensors, agrees with transformers") {
  const auto shared = shared_root();
  if (!shared) {
    MESSAGE("skipped: the compressed-tensors model is not beside the source tree");
    return;
  }
  check_everything({*shared, "A-causallm-bf16", "A-causallm-w4a16-w8a16-ct", "tokens_A"}, {});
}

TEST_CASE("a checkpoint compared with itself is exactly 0 everywhere") {
  for (const std::string& repo : {kM.reference, kM.candidate}) {
    const auto run = run_pair({kM.root, repo, repo, kM.tokens}, {});
    REQUIRE(run->error == "");
    const results::Metrics& m = run->metrics;
    for (const results::Distribution* d : {&m.kl, &m.kl_reverse, &m.js, &m.tv}) {
      CHECK(d->max == 0);
      CHECK(d->mean == 0);
    }
    CHECK(m.top1 == 1);
    CHECK(m.delta_p_rms == 0);
    for (const results::LayerMetrics& l : m.layers) {
      CHECK(l.local_error == 0);
      CHECK(l.propagated_error == 0);
      CHECK(l.router_overlap == 1);
    }
    for (const results::ExpertMetrics& e : m.experts) CHECK(e.error.value_or(0) == 0);
  }
}

TEST_CASE("threads and memory do not change a bit") {
  const std::string one = fingerprint(*run_pair(kM, {.threads = 1}));
  CHECK(one == fingerprint(*run_pair(kM, {.threads = 3})));
  // So little that it takes several passes and small blocks.
  const auto tight = run_pair(kM, {.threads = 2, .memory = 76U << 20});
  REQUIRE(tight->error == "");
  CHECK(one == fingerprint(*tight));
}

TEST_CASE("without local errors the KL keeps every bit") {
  const auto with = run_pair(kM, {});
  const auto without = run_pair(kM, {.local = false});
  REQUIRE(without->error == "");
  CHECK(without->metrics.kl.mean == with->metrics.kl.mean);
  CHECK(without->metrics.kl.max == with->metrics.kl.max);
  CHECK(std::isnan(without->metrics.layers[0].local_error));
  CHECK_FALSE(without->metrics.experts[0].error.has_value());
}

TEST_CASE("too little memory is an error that says how much it takes") {
  const auto run = run_pair(kM, {.memory = 1U << 20});
  CHECK(run->error.find("too little") != std::string::npos);
}

// KL(fp32 of transformers || bf16) over the stored positions, ours against that of transformers'
// own bf16 run: the same rounding points give the same order of noise.
TEST_CASE("bf16 rounds where transformers does: its noise is that of transformers") {
  const auto run = run_pair(kM, {.mode = forward::Mode::bf16, .exact_router = false});
  REQUIRE(run->error == "");
  const auto document = read_golden(kM.golden(kM.reference, "ref_summary.json"));
  REQUIRE(document != nullptr);
  const json::Value kl = document->root().find("bf16_compute").find("kl_fp32_vs_bf16_nats");
  const double got = run->recorder.reference_error.kl / 96;
  MESSAGE("KL(fp32 || bf16): " << got << ", transformers " << number(kl.find("mean")));
  CHECK(got < 3 * number(kl.find("mean")));
  CHECK(got > number(kl.find("mean")) / 3);
  CHECK(run->metrics.nonfinite.empty());
}

TEST_CASE("bf16 and fp16 runs stay near the fp32 KL of pair A") {
  const auto document = read_golden(kA.golden(kA.candidate, "pair_summary.json"));
  REQUIRE(document != nullptr);
  const double golden = number(document->root().find("kl_ref_quant_nats").find("mean"));
  for (const forward::Mode mode : {forward::Mode::bf16, forward::Mode::fp16}) {
    const auto run = run_pair(kA, {.mode = mode});
    REQUIRE(run->error == "");
    MESSAGE(forward::mode_name(mode) << " mean KL " << run->metrics.kl.mean);
    // Each side adds a bf16 floor of 1.6e-4 (README), and rounding the weights adds its own.
    CHECK(close(run->metrics.kl.mean, golden, 4 * 1.6e-4));
    CHECK(run->metrics.nonfinite.empty());
  }
}

TEST_CASE("models that do not belong together are refused with the field that differs") {
  const auto run = run_pair({kA.root, kA.reference, kM.candidate, kA.tokens}, {});
  CHECK(run->error.find("vocab_size") != std::string::npos);
}

}  // namespace ckpt::e2e
