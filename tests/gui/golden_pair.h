#pragma once
// A small pair of checkpoints and results about it, as a user of the viewer would open them.

#include <chrono>
#include <string>
#include <thread>

#include "gui/state/app.h"
#include "tests/support.h"

namespace ckpt::testing {

using gui::App;
using gui::AppOptions;

inline std::string golden_model(const std::string& name) {
  return std::string(CKPT_FIXTURES) + "/golden/models/" + name;
}

/// Results of a run over the pair, made up: three layers and two tokens are enough to look at.
inline results::Results golden_results() {
  results::Results r;
  r.target.input = "pair A";
  r.run.command = "kl";
  results::Metrics m;
  m.kl.mean = 0.01;
  for (int l = 0; l < 8; ++l) {
    m.layers.push_back({.layer = l,
                        .kind = "linear_attention",
                        .local_error = 0.1 + 0.01 * l,
                        .local_error_residual = 0.03,
                        .propagated_error = 0.04 + 0.01 * l,
                        .router_overlap = 0.99,
                        .router_gate_tv = 0.02});
    for (int e = 0; e < 12; ++e) {
      m.experts.push_back({.layer = l,
                           .expert = e,
                           .tokens = static_cast<std::uint64_t>(10 * e),
                           .tokens_candidate = static_cast<std::uint64_t>(10 * e + l),
                           .error = 0.01 * e + (l == 4 && e == 2 ? 1.0 : 0.0),
                           .saliency = 0.5});
    }
  }
  results::OverText text;
  text.mean = {0.01, 0.02, 0.03};
  text.worst = {0.1, 0.4, 0.2};
  text.stride = 100;
  for (int i = 0; i < 2; ++i) {
    results::WorstPosition p;
    p.position = static_cast<std::uint64_t>(17 + i);
    p.kl = 0.4 - 0.1 * i;
    p.reference_token = "the";
    p.candidate_token = "<b>a</b>\x1b[31m";
    p.reference_top = {{5, "the", -0.5}, {7, "a", -1.5}, {9, "an\x1b[0m", -3}};
    p.candidate_top = {{7, "a", -0.9}, {5, "the", -1}, {11, "", -4}};
    p.context = {{"In", 0.001}, {" the", 0.4}};
    text.positions.push_back(p);
  }
  m.over_text = text;
  r.metrics = m;
  results::Finding f;
  f.code = "VAL001";
  f.name = "value-is-nan";
  f.message = "a planted finding";
  f.where.push_back({.file = "model.safetensors", .tensor = "lm_head.weight"});
  r.findings.push_back(f);
  return r;
}

/// The pair and its results in a folder of their own, opened.
struct OpenPair {
  TempDir dir;
  AppOptions options;
  std::unique_ptr<App> app;

  explicit OpenPair(bool with_results = true, std::uint64_t cache_bytes = 64U << 20) {
    options.open.target = golden_model("A-causallm-w4a16-autoround");
    options.open.reference = golden_model("A-causallm-bf16");
    if (with_results) {
      dir.write("results.json", results::to_json(golden_results()));
      options.open.results = dir.path() + "/results.json";
    }
    options.cache_bytes = cache_bytes;
    app = std::make_unique<App>(options);
    settle(*app);
  }

  /// Waits until workers have nothing left and takes in what they found.
  static bool settle(App& app) {
    for (int i = 0; i < 30'000; ++i) {
      app.poll();
      if (app.idle()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
};

}  // namespace ckpt::testing
