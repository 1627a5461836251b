#pragma once
// Results in which every field of the tree is set, each text to a value that a test chooses.

#include <cmath>
#include <functional>
#include <string>

#include "validator/results/results.h"

namespace ckpt::testing {

/// Makes the text of the field called `name`.
using FieldText = std::function<std::string(std::string_view name)>;

inline results::Finding sample_finding(const FieldText& text, std::string_view code) {
  results::Finding f;
  f.code = std::string(code);
  f.name = "override-matches-no-module";
  f.message = text("message");
  f.subject = text("subject");
  f.count = 60;
  results::Location w;
  w.file = text("file");
  w.pointer = text("pointer");
  w.line = 6;
  w.column = 3;
  w.end_line = 6;
  w.end_column = 9;
  w.note = text("note");
  w.source_line = text("source_line");
  results::Location stored;
  stored.file = text("shard");
  stored.tensor = text("tensor");
  stored.byte_offset = 4096;
  stored.dtype = text("dtype");
  stored.shape = {333, 4096};
  stored.module = text("module");
  stored.layer = 3;
  stored.expert = 7;
  f.where = {w, stored};
  f.effects = {{"vllm", results::LoaderState::does_not_load, text("effect")},
               {text("loader"), results::LoaderState::wrong_output, text("effect")}};
  f.fix = text("fix");
  f.repairable = true;
  f.edits = {{text("file"), 2, 5, text("edit"), false}};
  return f;
}

inline results::Distribution sample_distribution(const FieldText& text) {
  results::Distribution d;
  d.positions = 4096;
  d.nonfinite = 1;
  d.mean = 0.0113;
  d.se = 0.0002;
  d.ci95 = {0.0109, 0.0118};
  d.deff = 1.25;
  d.median = 0.0031;
  d.max = HUGE_VAL;
  d.percentiles = {{"0.1", 1e-7}, {"99", 0.187}, {"99.9", std::nan("")}};
  d.max_sequence = 1;
  d.max_position = 8;
  d.max_token = text("max_token");
  return d;
}

inline results::OverText sample_over_text(const FieldText& text) {
  results::OverText o;
  o.stride = 2;
  o.mean = {0.01, 0.02, std::nan("")};
  o.worst = {0.1, 1.5, std::nan("")};
  o.bin_edges = {1e-3, 1e-2, 1e-1, 1};
  o.bin_counts = {5, 3, 1};
  results::WorstPosition w;
  w.sequence = 1;
  w.position = 8;
  w.kl = 1.5;
  w.reference_id = 7;
  w.reference_token = text("reference_token");
  w.reference_p = 0.9;
  w.candidate_id = 8;
  w.candidate_token = text("candidate_token");
  w.candidate_p = 0.25;
  w.reference_top = {{7, text("reference_token"), -0.1}, {3, text("reference_top"), -2.5}};
  w.candidate_top = {{8, text("candidate_token"), -1.4}, {7, text("candidate_top"), -1.6}};
  w.next_token = text("next_token");
  w.context = {{text("token"), 0.01}, {text("token"), 1.5}};
  o.positions = {w};
  return o;
}

inline results::Attribution sample_attribution(const FieldText& text) {
  results::Attribution a;
  a.layer_additivity = 1.05;
  a.costs = {{"layer", 2, -1, "", 0.003, 1e-4, 0.0025, std::nullopt, 200, 50},
             {"expert", 3, 7, text("module_class"), 0.001, 1e-5, std::nullopt, 0.0012, 20, 5}};
  results::Advice advice;
  advice.limit = 0.01;
  advice.promotions = {{2, text("module_class"), 0.0025, 150, 0.0088}};
  advice.extra_bytes = 150;
  advice.predicted = 0.0088;
  advice.measured = 0.0089;
  advice.reaches = true;
  advice.setting = text("setting");
  advice.fragment = text("fragment");
  a.advice = advice;
  return a;
}

inline results::Metrics sample_metrics(const FieldText& text, int layers, int experts) {
  results::Metrics m;
  m.kl = m.kl_reverse = m.js = m.tv = sample_distribution(text);
  m.top1 = 0.9641;
  m.confident_flips = 0.001;
  m.perplexity_reference = 7.412;
  m.perplexity_candidate = 7.468;
  m.nll_correlation = 0.999;
  m.delta_p_mean = -0.001;
  m.delta_p_rms = 0.02;
  m.nonfinite = {{3, "candidate", 2, text("op"), 1, 5}};
  m.nonfinite_count = 3;
  for (int l = 0; l < layers; ++l) {
    results::LayerMetrics layer;
    layer.layer = l;
    layer.kind = l % 4 == 3 ? "full_attention" : "linear_attention";
    layer.local_error = 0.01 * (1 + l % 7);
    layer.local_error_residual = 0.004;
    layer.propagated_error = 0.002 * (1 + l);
    layer.hidden_norm = 12.5;
    layer.router_overlap = 0.98;
    layer.router_overlap_local = 0.99;
    layer.router_set_agreement = 0.9;
    layer.boundary_ties = 1;
    layer.router_gate_tv = 0.03;
    m.layers.push_back(layer);
    for (int e = 0; e < experts; ++e) {
      results::ExpertMetrics x;
      x.layer = l;
      x.expert = e;
      x.tokens = static_cast<std::uint64_t>((l * 31 + e * 7) % 97);
      x.tokens_candidate = x.tokens + static_cast<std::uint64_t>(e % 3);
      if (x.tokens != 0) x.error = 0.01 + 0.0003 * ((l * 13 + e * 29) % 100);
      x.saliency = 0.1 * (e % 5);
      x.output_norm = 1.5;
      x.mean_gate = 0.125;
      x.super_expert = e == 3 && l == 2;
      m.experts.push_back(x);
    }
  }
  m.headroom = {{-1, "logits", 16.5, 16.9, 0, 0}, {2, text("point"), 70000, 70001, 1, 2}};
  m.over_text = sample_over_text(text);
  m.attribution = sample_attribution(text);
  m.modalities = {{"image", 1500, 0.0104, 3e-4, {0.0098, 0.011}, 0.97},
                  {"text_after_image", 2596, 0.0118, 4e-4, {0.011, 0.0126}, 0.96}};
  return m;
}

inline results::How sample_how(const FieldText& text) {
  return {text("reference"),
          text("text"),
          std::string(64, 'a'),
          4096,
          8,
          512,
          "bf16",
          text("backend"),
          1ULL << 33,
          5,
          3};
}

inline results::Results sample_results(const FieldText& text, int layers = 6, int experts = 8) {
  results::Results r;
  r.run = {"kl", "forward", "error", "2026-11-21T09:00:00Z",
           1.5,  "fail",    1,       {{text("what"), text("why")}}};
  r.target = {text("input"), "folder", text("repo_id"), text("revision"), {{text("path"), 12}}};
  r.checkpoint = {
      text("architecture"), 60,          45, 15, 333, 10, true, 122'061, 262'000'000'000, 136, 2,
      text("scheme"),       text("kept")};
  r.loaders = {{"vllm", "0.33", results::LoaderState::does_not_load, {"QNT004"}, ""},
               {"sglang", "0.5", results::LoaderState::not_predicted, {}, text("loader_note")}};
  r.rules_ran = 3;
  r.rule_codes = {"QNT004", "TOK003", "CFG011"};
  r.rules_skipped = {{"VAL001", text("skipped")}};
  r.findings = {sample_finding(text, "QNT004"), sample_finding(text, "TOK003"),
                sample_finding(text, "NUM001")};
  r.findings[1].severity = results::Severity::warning;
  r.findings[2].status = "waived";
  r.findings[2].waiver = results::Waived{text("reason"), "2027-01-31"};
  r.gates = {
      {"kl.mean", "<=", 0.014, 0.0113, 0.0109, 0.0118, "pass", "NUM001"},
      {"experts.max_error", "<=", 0.035, 0.039, std::nullopt, std::nullopt, "fail", "NUM004"}};
  r.metrics = sample_metrics(text, layers, experts);
  r.how = sample_how(text);
  r.notes = {text("notes")};
  return r;
}

}  // namespace ckpt::testing
