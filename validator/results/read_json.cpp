// The mirror image of json.cpp: one line per field, in the same order.

#include <fmt/format.h>

#include "validator/base/json.h"
#include "validator/base/text.h"
#include "validator/results/reader.h"
#include "validator/results/results.h"

namespace ckpt::results {
namespace {

using json::Kind;
using json::Value;

void read_incomplete(const Reader& j, Incomplete& i) {
  j.get("what", i.what);
  j.get("why", i.why);
}

void read_skipped(const Reader& j, Incomplete& i) {
  j.get("code", i.what);
  j.get("why", i.why);
}

void read_run(const Reader& j, Run& run) {
  j.get("command", run.command);
  j.get("depth", run.depth);
  j.get("fail_on", run.fail_on);
  j.get("started", run.started);
  j.get("duration_s", run.duration_s);
  j.get("verdict", run.verdict);
  j.get("exit_code", run.exit_code);
  j.list("incomplete", run.incomplete, read_incomplete);
}

void read_file_record(const Reader& j, FileRecord& f) {
  j.get("path", f.path);
  j.get("bytes", f.bytes);
}

void read_target(const Reader& j, Target& t) {
  j.get("input", t.input);
  j.get("kind", t.kind);
  j.get("repo_id", t.repo_id);
  j.get("revision", t.revision);
  j.list("files", t.files, read_file_record);
}

void read_checkpoint(const Reader& j, CheckpointFacts& c) {
  j.get("architecture", c.architecture);
  j.get("layers", c.layers);
  j.get("linear_attention_layers", c.linear_layers);
  j.get("full_attention_layers", c.full_layers);
  j.get("experts", c.experts);
  j.get("top_k", c.top_k);
  j.get("shared_expert", c.shared_expert);
  j.get("tensors", c.tensors);
  j.get("parameters", c.parameters);
  j.get("bytes", c.bytes);
  j.get("shards", c.shards);
  j.get("scheme", c.scheme);
  j.get("kept_at_16_bits", c.kept);
}

void read_loader(const Reader& j, LoaderOutcome& l) {
  j.get("name", l.name);
  j.get("version", l.version);
  j.get("state", l.state, loader_state_named);
  j.get("codes", l.codes);
  j.get("note", l.note);
}

void read_location(const Reader& j, Location& w) {
  j.get("file", w.file);
  j.get("pointer", w.pointer);
  j.get("line", w.line);
  j.get("column", w.column);
  j.get("end_line", w.end_line);
  j.get("end_column", w.end_column);
  j.get("tensor", w.tensor);
  j.get("byte_offset", w.byte_offset);
  j.get("dtype", w.dtype);
  j.get("shape", w.shape);
  j.get("module", w.module);
  j.get("layer", w.layer);
  j.get("expert", w.expert);
  j.get("note", w.note);
  j.get_raw("source_line", w.source_line);
}

void read_effect(const Reader& j, Effect& e) {
  j.get("loader", e.loader);
  j.get("state", e.state, loader_state_named);
  j.get("text", e.text);
}

void read_edit(const Reader& j, Edit& e) {
  j.get("file", e.file);
  j.get("begin", e.begin);
  j.get("end", e.end);
  j.get_raw("text", e.text);
  j.get("from_base", e.from_base);
}

void read_waiver(const Reader& j, Waived& w) {
  j.get("reason", w.reason);
  j.get("expires", w.until);
}

void read_finding(const Reader& j, Finding& f) {
  j.get("code", f.code);
  j.get("name", f.name);
  j.get("severity", f.severity, severity_named);
  j.get("status", f.status);
  j.get("message", f.message);
  j.get("subject", f.subject);
  j.get("count", f.count);
  j.list("where", f.where, read_location);
  j.list("effects", f.effects, read_effect);
  const Reader fix = j.at("fix");
  fix.get("text", f.fix);
  fix.get("repairable", f.repairable);
  fix.list("edits", f.edits, read_edit);
  j.optional("waiver", f.waiver, read_waiver);
}

void read_gate(const Reader& j, Gate& g) {
  j.get("name", g.name);
  j.get("op", g.op);
  j.get("limit", g.limit);
  j.get("value", g.value);
  j.get("lower", g.lower);
  j.get("upper", g.upper);
  j.get("status", g.status);
  j.get("code", g.code);
}

void read_distribution(const Reader& j, Distribution& d) {
  j.get("positions", d.positions);
  j.get("nonfinite", d.nonfinite);
  j.get("mean", d.mean);
  j.get("se", d.se);
  j.get("ci95", d.ci95);
  j.get("deff", d.deff);
  j.get("median", d.median);
  j.get("percentiles", d.percentiles);
  j.get("max", d.max);
  const Reader at = j.at("max_at");
  at.get("sequence", d.max_sequence);
  at.get("position", d.max_position);
  at.get("token", d.max_token);
}

void read_layer(const Reader& j, LayerMetrics& l) {
  j.get("layer", l.layer);
  j.get("kind", l.kind);
  j.get("local_error", l.local_error);
  j.get("local_error_residual", l.local_error_residual);
  j.get("propagated_error", l.propagated_error);
  j.get("hidden_norm", l.hidden_norm);
  j.get("router_overlap_local", l.router_overlap_local);
  j.get("router_overlap", l.router_overlap);
  j.get("router_set_agreement", l.router_set_agreement);
  j.get("boundary_ties", l.boundary_ties);
  j.get("router_gate_tv", l.router_gate_tv);
}

void read_expert(const Reader& j, ExpertMetrics& e) {
  j.get("layer", e.layer);
  j.get("expert", e.expert);
  j.get("tokens", e.tokens);
  j.get("tokens_candidate", e.tokens_candidate);
  j.get("error", e.error);
  j.get("saliency", e.saliency);
  j.get("output_norm", e.output_norm);
  j.get("mean_gate", e.mean_gate);
  j.get("super_expert", e.super_expert);
  j.get("error_share", e.error_share);
}

void read_headroom(const Reader& j, Headroom& h) {
  j.get("layer", h.layer);
  j.get("point", h.point);
  j.get("max_abs_reference", h.max_abs_reference);
  j.get("max_abs_candidate", h.max_abs_candidate);
  j.get("above_f16_reference", h.above_f16_reference);
  j.get("above_f16_candidate", h.above_f16_candidate);
}

void read_nonfinite(const Reader& j, NonFinite& n) {
  j.get("stream", n.stream);
  j.get("count", n.count);
  j.get("layer", n.layer);
  j.get("op", n.op);
  j.get("sequence", n.sequence);
  j.get("position", n.position);
  j.get("value", n.value);
  j.get("largest_finite", n.largest_finite);
  j.get("fp32", n.fp32);
}

void read_token(const Reader& j, TokenKl& t) {
  j.get("token", t.text);
  j.get("kl", t.kl);
}

void read_chance(const Reader& j, TokenChance& t) {
  j.get("id", t.id);
  j.get("token", t.token);
  j.get("log_p", t.log_p);
}

void read_position(const Reader& j, WorstPosition& w) {
  j.get("sequence", w.sequence);
  j.get("position", w.position);
  j.get("kl", w.kl);
  const Reader reference = j.at("reference");
  reference.get("id", w.reference_id);
  reference.get("token", w.reference_token);
  reference.get("p", w.reference_p);
  reference.list("top", w.reference_top, read_chance);
  const Reader candidate = j.at("candidate");
  candidate.get("id", w.candidate_id);
  candidate.get("token", w.candidate_token);
  candidate.get("p", w.candidate_p);
  candidate.list("top", w.candidate_top, read_chance);
  j.get("next_token", w.next_token);
  j.list("context", w.context, read_token);
}

void read_over_text(const Reader& j, OverText& o) {
  j.get("stride", o.stride);
  j.get("mean", o.mean);
  j.get("worst", o.worst);
  const Reader histogram = j.at("histogram");
  histogram.get("edges", o.bin_edges);
  histogram.get("counts", o.bin_counts);
  j.list("positions", o.positions, read_position);
}

void read_cost(const Reader& j, Cost& c) {
  j.get("kind", c.kind);
  j.get("layer", c.layer);
  j.get("expert", c.expert);
  j.get("class", c.module_class);
  j.get("kl", c.kl);
  j.get("se", c.se);
  j.get("gain", c.gain);
  j.get("guess", c.guess);
  j.get("bytes_reference", c.bytes_reference);
  j.get("bytes_candidate", c.bytes_candidate);
}

void read_promotion(const Reader& j, Promotion& p) {
  j.get("layer", p.layer);
  j.get("class", p.module_class);
  j.get("gain", p.gain);
  j.get("extra_bytes", p.extra_bytes);
  j.get("predicted_kl", p.predicted_kl);
}

void read_advice(const Reader& j, Advice& a) {
  j.get("limit", a.limit);
  j.list("promotions", a.promotions, read_promotion);
  j.get("extra_bytes", a.extra_bytes);
  j.get("predicted", a.predicted);
  j.get("measured", a.measured);
  j.get("reaches", a.reaches);
  j.get("setting", a.setting);
  j.get_lines("fragment", a.fragment);
}

void read_attribution(const Reader& j, Attribution& a) {
  j.get("control", a.control);
  j.get("layer_additivity", a.layer_additivity);
  j.get("class_additivity", a.class_additivity);
  j.list("costs", a.costs, read_cost);
  j.optional("advice", a.advice, read_advice);
}

void read_noise_floor(const Reader& j, NoiseFloor& n) {
  j.get("kl", n.kl);
  j.get("excess", n.excess);
  j.get("excess_ci95", n.excess_ci95);
}

void read_modality(const Reader& j, Modality& m) {
  j.get("name", m.name);
  j.get("positions", m.positions);
  j.get("kl", m.kl);
  j.get("se", m.se);
  j.get("ci95", m.ci95);
  j.get("top1", m.top1);
}

void read_ranked(const Reader& j, Ranked& r) {
  j.get("target", r.target);
  j.get("kl", r.kl);
  j.get("ci95", r.ci95);
  j.get("bytes", r.bytes);
  j.get("gap", r.gap);
  j.get("gap_ci95", r.gap_ci95);
  j.get("apart", r.apart);
}

void read_metrics(const Reader& j, Metrics& m) {
  read_distribution(j.at("kl"), m.kl);
  read_distribution(j.at("kl_reverse"), m.kl_reverse);
  read_distribution(j.at("js"), m.js);
  read_distribution(j.at("tv"), m.tv);
  j.at("agreement").get("top1", m.top1);
  j.at("agreement").get("confident_flips", m.confident_flips);
  const Reader perplexity = j.at("perplexity");
  perplexity.get("reference", m.perplexity_reference);
  perplexity.get("candidate", m.perplexity_candidate);
  perplexity.get("nll_correlation", m.nll_correlation);
  j.at("delta_p").get("mean", m.delta_p_mean);
  j.at("delta_p").get("rms", m.delta_p_rms);
  j.at("nonfinite").get("count", m.nonfinite_count);
  j.at("nonfinite").list("first", m.nonfinite, read_nonfinite);
  j.list("layers", m.layers, read_layer);
  j.list("experts", m.experts, read_expert);
  j.list("headroom", m.headroom, read_headroom);
  j.optional("over_text", m.over_text, read_over_text);
  j.optional("attribution", m.attribution, read_attribution);
  j.optional("noise_floor", m.noise_floor, read_noise_floor);
  j.list("modalities", m.modalities, read_modality);
}

void read_how(const Reader& j, How& h) {
  j.get("reference", h.reference);
  j.get("text", h.text);
  j.get("text_sha256", h.text_sha256);
  j.get("tokens", h.tokens);
  j.get("sequences", h.sequences);
  j.get("context", h.context);
  j.get("mode", h.mode);
  j.get("backend", h.backend);
  j.get("memory_budget_bytes", h.memory_budget_bytes);
  j.get("seed", h.seed);
  j.get("images", h.images);
}

void read_results(const Reader& j, Results& r) {
  j.at("tool").get("version", r.tool_version);
  read_run(j.at("run"), r.run);
  read_target(j.at("target"), r.target);
  read_checkpoint(j.at("checkpoint"), r.checkpoint);
  j.list("loaders", r.loaders, read_loader);
  j.at("rules").get("ran", r.rules_ran);
  j.at("rules").get("codes", r.rule_codes);
  j.at("rules").list("skipped", r.rules_skipped, read_skipped);
  j.list("findings", r.findings, read_finding);
  j.list("gates", r.gates, read_gate);
  j.optional("metrics", r.metrics, read_metrics);
  read_how(j.at("metrics").at("how"), r.how);
  j.list("ranking", r.ranking, read_ranked);
  j.get("notes", r.notes);
}

Result<Results> read_document(Value root) {
  const auto version = root.find("schema_version").string();
  if (!version) {
    return fail(ErrorKind::format, "no schema_version: this is no results file of ckpt-check");
  }
  if (!version->starts_with("1.")) {
    return fail(ErrorKind::unsupported,
                fmt::format("schema version {}; this program reads 1.x", shown(*version, 40)));
  }
  Results r;
  std::string error;
  read_results(Reader(root, &error), r);
  if (!error.empty()) return fail(ErrorKind::format, std::move(error));
  return r;
}

}  // namespace

Result<std::vector<Results>> from_json(std::string text) {
  CKPT_TRY(const auto document, json::parse(std::move(text)), "results");
  const Value root = document->root();
  std::vector<Results> all;
  if (!root.is(Kind::array)) {
    CKPT_TRY(all.emplace_back(), read_document(root), "results");
    return all;
  }
  std::vector<Value> values;
  root.each([&values](Value v) { values.push_back(v); });
  for (const Value v : values) {
    CKPT_TRY(all.emplace_back(), read_document(v), "results");
  }
  return all;
}

}  // namespace ckpt::results
