#include <cmath>
#include <nlohmann/json.hpp>

#include "validator/results/results.h"

namespace ckpt::results {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSourceLineBytes = 4000;
constexpr std::size_t kEdits = 100;
constexpr std::size_t kEditBytes = 64U << 10;

Json number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json optional_number(const std::optional<double>& value) {
  return value ? number(*value) : Json(nullptr);
}

Json optional_text(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json location_json(const Location& w) {
  Json j = Json::object();
  if (!w.file.empty()) j["file"] = w.file;
  if (!w.pointer.empty()) j["pointer"] = w.pointer;
  if (w.line != 0) {
    j["line"] = w.line;
    j["column"] = w.column;
    j["end_line"] = w.end_line;
    j["end_column"] = w.end_column;
  }
  if (!w.tensor.empty()) j["tensor"] = w.tensor;
  if (w.byte_offset) j["byte_offset"] = *w.byte_offset;
  if (!w.dtype.empty()) {
    j["dtype"] = w.dtype;
    j["shape"] = w.shape;
  }
  if (!w.module.empty()) j["module"] = w.module;
  if (w.layer >= 0) j["layer"] = w.layer;
  if (w.expert >= 0) j["expert"] = w.expert;
  if (!w.note.empty()) j["note"] = w.note;
  if (!w.source_line.empty() && w.source_line.size() <= kSourceLineBytes) {
    j["source_line"] = w.source_line;
  }
  return j;
}

Json waiver_json(const Finding& f) {
  if (!f.waiver) return nullptr;
  return {{"reason", f.waiver->reason}, {"expires", f.waiver->until}};
}

/// The steps of a repair, unless they are too many to be of use to a reader.
Json edits_json(const Finding& f) {
  Json edits = Json::array();
  std::size_t bytes = 0;
  for (const Edit& e : f.edits) {
    bytes += e.text.size();
    edits.push_back({{"file", e.file},
                     {"begin", e.begin},
                     {"end", e.end},
                     {"text", e.text},
                     {"from_base", e.from_base}});
  }
  return f.edits.size() > kEdits || bytes > kEditBytes ? Json::array() : edits;
}

Json finding_json(const Finding& f) {
  Json where = Json::array();
  for (const Location& w : f.where) where.push_back(location_json(w));
  Json effects = Json::array();
  for (const Effect& e : f.effects) {
    effects.push_back(
        {{"loader", e.loader}, {"state", loader_state_name(e.state)}, {"text", e.text}});
  }
  return {{"code", f.code},
          {"name", f.name},
          {"severity", severity_name(f.severity)},
          {"status", f.status},
          {"message", f.message},
          {"subject", f.subject},
          {"count", f.count},
          {"where", std::move(where)},
          {"effects", std::move(effects)},
          {"fix", {{"text", f.fix}, {"repairable", f.repairable}, {"edits", edits_json(f)}}},
          {"waiver", waiver_json(f)},
          {"fingerprint", f.fingerprint()}};
}

Json interval(const std::array<double, 2>& ends) {
  return {number(ends[0]), number(ends[1])};
}

Json distribution_json(const Distribution& d, std::string_view direction) {
  Json percentiles = Json::object();
  for (const auto& [name, value] : d.percentiles) percentiles[name] = number(value);
  Json j;
  if (!direction.empty()) j["direction"] = direction;
  j["unit"] = "nats";
  j["positions"] = d.positions;
  j["nonfinite"] = d.nonfinite;
  j["mean"] = number(d.mean);
  j["se"] = number(d.se);
  j["ci95"] = interval(d.ci95);
  j["deff"] = number(d.deff);
  j["median"] = number(d.median);
  j["percentiles"] = std::move(percentiles);
  j["max"] = number(d.max);
  j["max_at"] = {
      {"sequence", d.max_sequence}, {"position", d.max_position}, {"token", d.max_token}};
  return j;
}

Json layers_json(const Metrics& m) {
  Json layers = Json::array();
  for (const LayerMetrics& l : m.layers) {
    Json j = {{"layer", l.layer},
              {"kind", l.kind},
              {"local_error", number(l.local_error)},
              {"local_error_residual", number(l.local_error_residual)},
              {"propagated_error", number(l.propagated_error)},
              {"hidden_norm", number(l.hidden_norm)},
              {"router_overlap_local", number(l.router_overlap_local)},
              {"router_overlap", number(l.router_overlap)},
              {"router_set_agreement", number(l.router_set_agreement)},
              {"boundary_ties", l.boundary_ties}};
    if (l.router_gate_tv) j["router_gate_tv"] = number(*l.router_gate_tv);
    layers.push_back(std::move(j));
  }
  return layers;
}

Json experts_json(const Metrics& m) {
  Json experts = Json::array();
  for (const ExpertMetrics& e : m.experts) {
    Json j = {{"layer", e.layer}, {"expert", e.expert}, {"tokens", e.tokens}};
    if (e.tokens_candidate) j["tokens_candidate"] = *e.tokens_candidate;
    j["error"] = optional_number(e.error);
    j["saliency"] = number(e.saliency);
    j["output_norm"] = number(e.output_norm);
    j["mean_gate"] = number(e.mean_gate);
    j["super_expert"] = e.super_expert;
    j["error_share"] = number(e.error_share);
    experts.push_back(std::move(j));
  }
  return experts;
}

Json headroom_json(const Metrics& m) {
  Json points = Json::array();
  for (const Headroom& h : m.headroom) {
    points.push_back({{"layer", h.layer},
                      {"point", h.point},
                      {"max_abs_reference", number(h.max_abs_reference)},
                      {"max_abs_candidate", number(h.max_abs_candidate)},
                      {"above_f16_reference", h.above_f16_reference},
                      {"above_f16_candidate", h.above_f16_candidate}});
  }
  return points;
}

Json nonfinite_json(const Metrics& m) {
  Json places = Json::array();
  for (const NonFinite& n : m.nonfinite) {
    places.push_back({{"stream", n.stream},
                      {"count", n.count},
                      {"layer", n.layer},
                      {"op", n.op},
                      {"sequence", n.sequence},
                      {"position", n.position},
                      {"value", number(n.value)},
                      {"largest_finite", number(n.largest_finite)},
                      {"fp32", n.fp32 ? number(*n.fp32) : Json(nullptr)}});
  }
  return {{"count", m.nonfinite_count}, {"first", std::move(places)}};
}

Json numbers(const std::vector<double>& values) {
  Json j = Json::array();
  for (const double v : values) j.push_back(number(v));
  return j;
}

Json prediction_json(std::int64_t id, const std::string& token, double p,
                     const std::vector<TokenChance>& top) {
  Json j = {{"id", id}, {"token", token}, {"p", number(p)}};
  if (top.empty()) return j;
  Json& list = j["top"] = Json::array();
  for (const TokenChance& t : top) {
    list.push_back({{"id", t.id}, {"token", t.token}, {"log_p", number(t.log_p)}});
  }
  return j;
}

Json over_text_json(const OverText& o) {
  Json positions = Json::array();
  for (const WorstPosition& w : o.positions) {
    Json context = Json::array();
    for (const TokenKl& t : w.context) {
      context.push_back({{"token", t.text}, {"kl", number(t.kl)}});
    }
    positions.push_back({{"sequence", w.sequence},
                         {"position", w.position},
                         {"kl", number(w.kl)},
                         {"reference", prediction_json(w.reference_id, w.reference_token,
                                                       w.reference_p, w.reference_top)},
                         {"candidate", prediction_json(w.candidate_id, w.candidate_token,
                                                       w.candidate_p, w.candidate_top)},
                         {"next_token", w.next_token},
                         {"context", std::move(context)}});
  }
  return {{"stride", o.stride},
          {"mean", numbers(o.mean)},
          {"worst", numbers(o.worst)},
          {"histogram", {{"edges", numbers(o.bin_edges)}, {"counts", o.bin_counts}}},
          {"positions", std::move(positions)}};
}

Json costs_json(const Attribution& a) {
  Json costs = Json::array();
  for (const Cost& c : a.costs) {
    Json j = {{"kind", c.kind}, {"layer", c.layer}};
    if (c.expert >= 0) j["expert"] = c.expert;
    if (!c.module_class.empty()) j["class"] = c.module_class;
    j["kl"] = number(c.kl);
    j["se"] = number(c.se);
    j["gain"] = optional_number(c.gain);
    if (c.guess) j["guess"] = number(*c.guess);
    j["bytes_reference"] = c.bytes_reference;
    j["bytes_candidate"] = c.bytes_candidate;
    costs.push_back(std::move(j));
  }
  return costs;
}

Json advice_json(const std::optional<Advice>& a) {
  if (!a) return nullptr;
  Json promotions = Json::array();
  for (const Promotion& p : a->promotions) {
    promotions.push_back({{"layer", p.layer},
                          {"class", p.module_class},
                          {"gain", number(p.gain)},
                          {"extra_bytes", p.extra_bytes},
                          {"predicted_kl", number(p.predicted_kl)}});
  }
  return {{"limit", number(a->limit)},
          {"promotions", std::move(promotions)},
          {"extra_bytes", a->extra_bytes},
          {"predicted", number(a->predicted)},
          {"measured", optional_number(a->measured)},
          {"reaches", a->reaches},
          {"setting", a->setting},
          {"fragment", a->fragment}};
}

Json attribution_json(const Attribution& a) {
  return {{"control", number(a.control)},
          {"layer_additivity", optional_number(a.layer_additivity)},
          {"class_additivity", optional_number(a.class_additivity)},
          {"costs", costs_json(a)},
          {"advice", advice_json(a.advice)}};
}

Json modalities_json(const Metrics& m) {
  Json all = Json::array();
  for (const Modality& o : m.modalities) {
    all.push_back({{"name", o.name},
                   {"positions", o.positions},
                   {"kl", number(o.kl)},
                   {"se", number(o.se)},
                   {"ci95", interval(o.ci95)},
                   {"top1", number(o.top1)}});
  }
  return all;
}

Json how_json(const How& h) {
  Json j = {{"reference", h.reference},
            {"text", h.text},
            {"text_sha256", optional_text(h.text_sha256)},
            {"tokens", h.tokens},
            {"sequences", h.sequences},
            {"context", h.context},
            {"mode", h.mode},
            {"backend", h.backend},
            {"memory_budget_bytes", h.memory_budget_bytes},
            {"seed", h.seed}};
  if (h.images > 0) j["images"] = h.images;
  return j;
}

Json metrics_json(const Results& r) {
  if (!r.metrics) return nullptr;
  const Metrics& m = *r.metrics;
  Json j;
  j["kl"] = distribution_json(m.kl, "reference || candidate");
  j["kl_reverse"] = distribution_json(m.kl_reverse, "candidate || reference");
  j["js"] = distribution_json(m.js, {});
  j["tv"] = distribution_json(m.tv, {});
  j["tv"]["unit"] = "probability";
  j["agreement"] = {{"top1", number(m.top1)}, {"confident_flips", number(m.confident_flips)}};
  j["perplexity"] = {{"reference", number(m.perplexity_reference)},
                     {"candidate", number(m.perplexity_candidate)},
                     {"ratio", number(m.perplexity_candidate / m.perplexity_reference)},
                     {"nll_correlation", number(m.nll_correlation)}};
  j["delta_p"] = {{"mean", number(m.delta_p_mean)}, {"rms", number(m.delta_p_rms)}};
  j["nonfinite"] = nonfinite_json(m);
  j["layers"] = layers_json(m);
  j["experts"] = experts_json(m);
  j["headroom"] = headroom_json(m);
  if (m.over_text) j["over_text"] = over_text_json(*m.over_text);
  if (m.attribution) j["attribution"] = attribution_json(*m.attribution);
  if (m.noise_floor) {
    j["noise_floor"] = {{"kl", number(m.noise_floor->kl)},
                        {"excess", number(m.noise_floor->excess)},
                        {"excess_ci95", interval(m.noise_floor->excess_ci95)}};
  }
  if (!m.modalities.empty()) j["modalities"] = modalities_json(m);
  j["how"] = how_json(r.how);
  return j;
}

Json incomplete_json(const std::vector<Incomplete>& list) {
  Json j = Json::array();
  for (const Incomplete& i : list) j.push_back({{"what", i.what}, {"why", i.why}});
  return j;
}

Json run_json(const Run& run) {
  return {{"command", run.command},
          {"depth", run.depth},
          {"fail_on", run.fail_on},
          {"started", optional_text(run.started)},
          {"duration_s", number(run.duration_s)},
          {"verdict", run.verdict},
          {"exit_code", run.exit_code},
          {"incomplete", incomplete_json(run.incomplete)}};
}

Json target_json(const Target& t) {
  Json files = Json::array();
  for (const FileRecord& f : t.files) files.push_back({{"path", f.path}, {"bytes", f.bytes}});
  return {{"input", t.input},
          {"kind", t.kind},
          {"repo_id", optional_text(t.repo_id)},
          {"revision", optional_text(t.revision)},
          {"files", std::move(files)}};
}

Json checkpoint_json(const CheckpointFacts& c) {
  return {{"architecture", c.architecture},
          {"layers", c.layers},
          {"linear_attention_layers", c.linear_layers},
          {"full_attention_layers", c.full_layers},
          {"experts", c.experts},
          {"top_k", c.top_k},
          {"shared_expert", c.shared_expert},
          {"tensors", c.tensors},
          {"parameters", c.parameters},
          {"bytes", c.bytes},
          {"shards", c.shards},
          {"scheme", c.scheme},
          {"kept_at_16_bits", optional_text(c.kept)}};
}

Json ranking_json(const std::vector<Ranked>& ranking) {
  Json j = Json::array();
  for (const Ranked& r : ranking) {
    j.push_back({{"target", r.target},
                 {"kl", number(r.kl)},
                 {"ci95", interval(r.ci95)},
                 {"bytes", r.bytes},
                 {"gap", optional_number(r.gap)},
                 {"gap_ci95", interval(r.gap_ci95)},
                 {"apart", r.apart}});
  }
  return j;
}

Json gates_json(const std::vector<Gate>& gates) {
  Json j = Json::array();
  for (const Gate& g : gates) {
    j.push_back({{"name", g.name},
                 {"op", g.op},
                 {"limit", number(g.limit)},
                 {"value", optional_number(g.value)},
                 {"lower", optional_number(g.lower)},
                 {"upper", optional_number(g.upper)},
                 {"status", g.status},
                 {"code", g.code}});
  }
  return j;
}

Json document(const Results& r) {
  Json loaders = Json::array();
  for (const LoaderOutcome& l : r.loaders) {
    loaders.push_back({{"name", l.name},
                       {"version", l.version},
                       {"state", loader_state_name(l.state)},
                       {"codes", l.codes},
                       {"note", optional_text(l.note)}});
  }
  Json skipped = Json::array();
  for (const Incomplete& s : r.rules_skipped) skipped.push_back({{"code", s.what}, {"why", s.why}});
  Json findings = Json::array();
  for (const Finding& f : r.findings) findings.push_back(finding_json(f));
  Json j;
  j["schema_version"] = kSchemaVersion;
  j["tool"] = {{"name", "ckpt-check"}, {"version", r.tool_version}, {"backends", {"cpu"}}};
  j["run"] = run_json(r.run);
  j["target"] = target_json(r.target);
  j["checkpoint"] = checkpoint_json(r.checkpoint);
  j["loaders"] = std::move(loaders);
  j["rules"] = {{"ran", r.rules_ran}, {"codes", r.rule_codes}, {"skipped", std::move(skipped)}};
  j["findings"] = std::move(findings);
  j["counts"] = {{"error", r.count(Severity::error)},
                 {"warning", r.count(Severity::warning)},
                 {"info", r.count(Severity::info)},
                 {"waived", r.count("waived")},
                 {"known", r.count("known")}};
  j["gates"] = gates_json(r.gates);
  j["metrics"] = metrics_json(r);
  if (!r.ranking.empty()) j["ranking"] = ranking_json(r.ranking);
  j["notes"] = r.notes;
  j["arrays"] = Json::array();
  return j;
}

std::string dumped(const Json& j) {
  // Everything from files has passed shown(); replace guards what is left (paths typed by users).
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string to_json(const Results& r) {
  return dumped(document(r));
}

std::string to_json(const std::vector<Results>& all) {
  if (all.size() == 1) return to_json(all.front());
  Json list = Json::array();
  for (const Results& r : all) list.push_back(document(r));
  return dumped(list);
}

std::string to_json_lines(const std::vector<Results>& all) {
  std::string out;
  for (const Results& r : all) {
    for (const Finding& f : r.findings) {
      Json line = {{"target", r.target.input}};
      line.update(finding_json(f));
      out += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
  }
  return out;
}

}  // namespace ckpt::results
