#include "gui/state/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gui/state/remembered.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

constexpr std::size_t kMostTokens = 5;  // of one model at one position

Tone tone_of(results::Severity severity) {
  if (severity == results::Severity::error) return Tone::bad;
  return severity == results::Severity::warning ? Tone::warning : Tone::plain;
}

void add_identity(const results::CheckpointFacts& c, std::vector<Line>& out) {
  out.push_back({c.architecture.empty() ? "unknown architecture" : shown_again(c.architecture)});
  if (c.layers > 0) {
    out.push_back({fmt::format("{} layers ({} linear attention, {} full), {} experts, top {}",
                               c.layers, c.linear_layers, c.full_layers, c.experts, c.top_k)});
  }
  if (!c.scheme.empty()) out.push_back({"scheme: " + shown_again(c.scheme)});
  out.push_back({fmt::format("{} in {} shards, {} tensors", bytes_text(c.bytes), c.shards,
                             with_commas(c.tensors))});
}

void add_verdict(const results::Results& r, std::vector<Line>& out) {
  const Tone tone = r.run.verdict == "pass" ? Tone::good : Tone::bad;
  out.push_back({fmt::format("{}: {} errors, {} warnings, {} info", shown_again(r.run.verdict),
                             r.count(results::Severity::error), r.count(results::Severity::warning),
                             r.count(results::Severity::info)),
                 tone});
  for (const auto& l : r.loaders) {
    const bool good = l.state == results::LoaderState::loads_as_meant;
    out.push_back({fmt::format("{}: {}  {}", shown_again(l.name),
                               results::loader_state_words(l.state), fmt::join(l.codes, " ")),
                   good ? Tone::good : Tone::warning});
  }
}

void add_gates(const results::Results& r, std::vector<Line>& out) {
  for (const auto& g : r.gates) {
    const bool pass = g.status == "pass";
    const Tone tone = pass ? Tone::good : g.status == "fail" ? Tone::bad : Tone::warning;
    out.push_back({fmt::format("gate {} {} {}: {}, {}  {}", shown_again(g.name), shown_again(g.op),
                               g.limit, g.value ? fmt::format("{:.4g}", *g.value) : "no value",
                               shown_again(g.status), shown_again(pass ? "" : g.code)),
                   tone});
  }
  for (const auto& i : r.run.incomplete) {
    out.push_back(
        {shown_again(fmt::format("not looked at: {} ({})", i.what, i.why)), Tone::warning});
  }
}

void add_findings(const results::Results& r, std::vector<Line>& out) {
  if (r.findings.empty()) return;
  out.push_back({"Findings", Tone::heading});
  std::vector<const results::Finding*> sorted;
  for (const auto& f : r.findings) sorted.push_back(&f);
  std::ranges::stable_sort(sorted, std::ranges::greater{},
                           [](const results::Finding* f) { return f->severity; });
  constexpr std::size_t kMost = 200;
  for (std::size_t i = 0; i < std::min(kMost, sorted.size()); ++i) {
    const results::Finding& f = *sorted[i];
    out.push_back({fmt::format("{}[{}] {}: {}", results::severity_name(f.severity), f.code, f.name,
                               shown_again(f.message)),
                   tone_of(f.severity), "select " + f.fingerprint()});
  }
  if (sorted.size() > kMost) {
    out.push_back({fmt::format("and {} more in the list", sorted.size() - kMost), Tone::faint});
  }
}

void add_distance(const results::Metrics& m, std::vector<Line>& out) {
  out.push_back({"Distance to the reference", Tone::heading});
  out.push_back({fmt::format("KL {:.4g} nats per token, 95 % [{:.4g}, {:.4g}], median {:.4g}",
                             m.kl.mean, m.kl.ci95[0], m.kl.ci95[1], m.kl.median),
                 Tone::plain, "action canvas.tab.6"});
  out.push_back({fmt::format("same top-1 token {:.2f} %, perplexity {:.4g} -> {:.4g}", 100 * m.top1,
                             m.perplexity_reference, m.perplexity_candidate)});
  out.push_back({m.nonfinite_count == 0
                     ? "no NaN and no infinity in any layer"
                     : fmt::format("{} NaN or infinite values", m.nonfinite_count),
                 m.nonfinite_count == 0 ? Tone::good : Tone::bad});
  const auto worst = std::ranges::max_element(
      m.experts, {}, [](const results::ExpertMetrics& e) { return e.error.value_or(-1); });
  if (worst != m.experts.end() && worst->error) {
    out.push_back({fmt::format("worst expert: layer {} expert {}, error {:.2f} %", worst->layer,
                               worst->expert, 100 * *worst->error),
                   Tone::plain, fmt::format("select expert {} {}", worst->layer, worst->expert)});
  }
  const auto layer = std::ranges::max_element(m.layers, {}, &results::LayerMetrics::local_error);
  if (layer != m.layers.end()) {
    out.push_back({fmt::format("worst layer by itself: {}, local error {:.4g}", layer->layer,
                               layer->local_error),
                   Tone::plain, fmt::format("select layer {}", layer->layer)});
  }
  if (m.over_text && !m.over_text->positions.empty()) {
    out.push_back({fmt::format("tokens that diverge most: up to {:.3g} nats",
                               m.over_text->positions.front().kl),
                   Tone::plain, "action token.next"});
  }
}

void add_nothing_open(const App& app, std::vector<Line>& out) {
  if (app.opening()) {
    out.push_back({"opening", Tone::faint});
    return;
  }
  if (!app.error.empty()) out.push_back({app.error, Tone::bad});
  out.push_back({"Open a folder, a file or org/name (Ctrl+O)", Tone::plain, "action app.open"});
  if (app.recent.empty()) return;
  out.push_back({"Recent", Tone::heading});
  for (std::size_t i = 0; i < app.recent.size(); ++i) {
    out.push_back({recent_text(app.recent[i]), Tone::plain, fmt::format("recent {}", i)});
  }
}

std::string module_title(const Session& s, std::int32_t module) {
  const arch::Module& m = s.candidate()->blueprint->modules()[static_cast<std::size_t>(module)];
  return shown(m.name);
}

void add_tensor(const Session& s, std::int32_t tensor, Inspected& out) {
  const container::Checkpoint& c = s.candidate()->checkpoint;
  const container::Tensor& t = c.tensors()[static_cast<std::size_t>(tensor)];
  out.title = shown(t.name);
  out.facts.push_back({"dtype", std::string(dtype_name(t.dtype))});
  out.facts.push_back({"shape", fmt::format("[{}]", fmt::join(t.shape, ", "))});
  out.facts.push_back({"bytes", bytes_text(t.bytes())});
  out.facts.push_back({"file", shown(c.shards()[t.shard].name)});
  out.facts.push_back({"at byte", with_commas(t.begin)});
}

void add_module(const Session& s, std::int32_t module, Inspected& out) {
  const auto at = static_cast<std::size_t>(module);
  const arch::Module& m = s.candidate()->blueprint->modules()[at];
  const quant::Stored& stored = s.candidate()->stored.modules[at];
  if (out.title.empty()) out.title = shown(m.name);
  out.facts.push_back({"module", shown(m.name)});
  out.facts.push_back({"class", std::string(arch::class_name(m.cls))});
  out.facts.push_back({"weight", fmt::format("[{}]", fmt::join(m.shape, ", "))});
  out.facts.push_back({"format", std::string(quant::format_name(stored.format))});
  if (stored.bits > 0) {
    std::string bits = fmt::format("{}", stored.bits);
    if (stored.group_size > 0) bits += fmt::format(" in groups of {}", stored.group_size);
    if (stored.group_size < 0) bits += ", one scale a row";
    out.facts.push_back({"bits", bits});
  }
  for (const std::int32_t t : stored.tensor) {
    if (t < 0) continue;
    const std::string name(s.rows()[static_cast<std::size_t>(t)].name);
    out.links.push_back({shown(name, 100), Tone::plain, "select " + name});
  }
}

void add_expert(const App& app, Inspected& out) {
  const Selection& now = app.selection();
  const Session& s = *app.session();
  if (out.title.empty()) out.title = fmt::format("layer {} expert {}", now.layer, now.expert);
  if (const auto* e = s.expert(now.layer, now.expert)) {
    out.facts.push_back({"local error", e->error ? fmt::format("{:.3f} %", 100 * *e->error)
                                                 : "no token was routed"});
    std::string tokens = with_commas(e->tokens);
    if (e->tokens_candidate) tokens += ", candidate " + with_commas(*e->tokens_candidate);
    out.facts.push_back({"tokens routed", tokens});
    out.facts.push_back({"REAP saliency", fmt::format("{:.4g}", e->saliency)});
    out.facts.push_back({"share of layer error", fmt::format("{:.1f} %", 100 * e->error_share)});
    if (e->super_expert) out.facts.push_back({"super expert", "yes"});
  }
  const std::int32_t first = s.expert_module(now.layer, now.expert);
  for (std::int32_t part = 0; first >= 0 && part < 3; ++part) {
    const std::int32_t t = s.tensor_of_module(first + part);
    if (t < 0 || first + part == now.module) continue;
    const std::string name(s.rows()[static_cast<std::size_t>(t)].name);
    out.links.push_back({module_title(s, first + part), Tone::plain, "select " + name});
  }
  out.links.push_back({"histogram of its values", Tone::plain, "action canvas.tab.3"});
  out.links.push_back({"group scales", Tone::plain, "action view.source.scale"});
}

/// Without experts, or the reference's weights, nothing was routed that could be compared.
void add_routing(const results::LayerMetrics& l, Inspected& out) {
  out.facts.push_back({"router overlap", fmt::format("{:.4f}", l.router_overlap)});
  out.facts.push_back({"same experts", fmt::format("{:.1f} %", 100 * l.router_set_agreement)});
  if (l.router_gate_tv) {
    out.facts.push_back({"gates apart", fmt::format("{:.3g}", *l.router_gate_tv)});
  }
}

void add_layer(const Session& s, int layer, Inspected& out) {
  if (out.title.empty()) out.title = fmt::format("layer {}", layer);
  const results::Metrics* m = s.metrics();
  if (m == nullptr) return;
  const results::LayerMetrics* before = nullptr;
  for (const auto& l : m->layers) {
    if (l.layer == layer) {
      out.facts.push_back({"kind", shown_again(l.kind)});
      out.facts.push_back({"local error", fmt::format("{:.4g}", l.local_error)});
      out.facts.push_back({"propagated error", fmt::format("{:.4g}", l.propagated_error)});
      out.facts.push_back({"origin", origin_of_error(l, before)});
      if (!m->experts.empty()) add_routing(l, out);
    }
    before = &l;
  }
}

void add_finding(const results::Finding& f, Inspected& out) {
  out.title = fmt::format("{} {}", f.code, f.name);
  out.facts.insert(out.facts.begin(), {"finding", shown_again(f.message)});
  for (const auto& e : f.effects) {
    out.facts.push_back({"effect", shown_again(e.loader + ": " + e.text)});
  }
  if (!f.fix.empty()) out.facts.push_back({"fix", shown_again(f.fix)});
  constexpr std::size_t kMost = 20;
  for (std::size_t i = 0; i < std::min(kMost, f.where.size()); ++i) {
    const results::Location& at = f.where[i];
    std::string place = shown_again(at.file);
    if (at.line > 0) place += fmt::format(":{}:{}", at.line, at.column);
    if (!at.source_line.empty()) out.facts.push_back({"line", shown(at.source_line, 200)});
    if (!at.tensor.empty()) {
      out.links.push_back({shown_again(at.tensor), Tone::plain, "select " + at.tensor});
    }
    if (!place.empty()) out.facts.push_back({"at", place});
  }
}

/// What one model predicts: its first choice, and the others where results have them.
void add_side(std::string_view side, const results::TokenChance& first,
              const std::vector<results::TokenChance>& top, Inspected& out) {
  out.facts.push_back(
      {fmt::format("{} says", side), chance_text(top.empty() ? first : top.front())});
  for (std::size_t i = 1; i < std::min(top.size(), kMostTokens); ++i) {
    out.facts.push_back({fmt::format("{} {}", side, i + 1), chance_text(top[i])});
  }
}

void add_token(const results::WorstPosition& p, Inspected& out) {
  out.title = fmt::format("sequence {}, position {}", p.sequence, p.position);
  out.facts.push_back({"KL", fmt::format("{:.4g} nats", p.kl)});
  add_side("reference", {p.reference_id, p.reference_token, std::log(p.reference_p)},
           p.reference_top, out);
  add_side("candidate", {p.candidate_id, p.candidate_token, std::log(p.candidate_p)},
           p.candidate_top, out);
  if (!p.next_token.empty()) out.facts.push_back({"the text says", shown_again(p.next_token)});
}

void add_values(App& app, Inspected& out) {
  const Pane& pane = app.pane(app.shown_source());
  if (!pane.error.empty()) {
    out.facts.push_back({std::string(source_name(pane.id.source)), pane.error});
    return;
  }
  if (pane.census == nullptr) return;
  const Census& c = *pane.census;
  out.facts.push_back(
      {"values", fmt::format("{}{}", source_name(pane.id.source), c.sampled ? ", sampled" : "")});
  out.facts.push_back({"smallest, largest", fmt::format("{:.6g}, {:.6g}", c.low, c.high)});
  out.facts.push_back({"mean, RMS", fmt::format("{:.4g}, {:.4g}", c.mean(), c.rms())});
  out.facts.push_back({"zeros", with_commas(c.zero)});
  out.facts.push_back(
      {"NaN, +Inf, -Inf", fmt::format("{}, {}, {}", c.nan, c.plus_inf, c.minus_inf)});
  if (c.nan + c.plus_inf + c.minus_inf > 0) {
    out.links.push_back({"go to the first NaN or infinity", Tone::bad, "action cell.next_special"});
  }
  const auto& cell = app.selection().cell;
  if (!cell) return;
  out.facts.push_back({"cell", fmt::format("{}, {}", cell->row, cell->column)});
  if (const CellFacts* facts = app.cell_facts(*cell)) out.facts.push_back({"", cell_text(*facts)});
}

}  // namespace

std::vector<Line> overview_lines(const App& app) {
  std::vector<Line> out;
  const Session* s = app.session();
  if (s == nullptr) {
    add_nothing_open(app, out);
    return out;
  }
  const results::Results* r = s->results();
  const std::string target =
      s->candidate() == nullptr && r != nullptr ? r->target.input : app.opened().target;
  out.push_back({shown(target), Tone::heading});
  if (s->candidate() != nullptr)
    add_identity(pipeline::facts_of(*s->candidate()), out);
  else if (r != nullptr)
    add_identity(r->checkpoint, out);
  if (s->candidate() != nullptr && !s->candidate()->blueprint) {
    out.push_back(
        {"not shown as modules: " + s->candidate()->blueprint_error.message, Tone::warning});
  }
  if (s->reference() != nullptr) out.push_back({"reference: " + shown(app.opened().reference)});
  if (!s->results_path().empty()) {
    out.push_back({"results: " + shown(s->results_path()), Tone::faint});
  }
  if (r == nullptr) {
    out.push_back({"checking config and headers", Tone::faint});
    return out;
  }
  add_verdict(*r, out);
  add_gates(*r, out);
  if (r->metrics) add_distance(*r->metrics, out);
  add_findings(*r, out);
  return out;
}

Inspected inspect_selection(App& app) {
  Inspected out;
  const Session* s = app.session();
  if (s == nullptr) return out;
  const Selection now = app.selection();
  if (now.tensor >= 0) add_tensor(*s, now.tensor, out);
  if (now.module >= 0) add_module(*s, now.module, out);
  if (now.tensor >= 0 || now.module >= 0) add_values(app, out);
  if (now.expert >= 0) add_expert(app, out);
  if (now.layer >= 0) add_layer(*s, now.layer, out);
  if (now.finding >= 0) {
    add_finding(s->results()->findings[static_cast<std::size_t>(now.finding)], out);
  }
  if (now.token >= 0) {
    add_token(s->metrics()->over_text->positions[static_cast<std::size_t>(now.token)], out);
  }
  for (const std::string& code : s->codes_of(now.tensor)) {
    out.links.push_back({"finding " + code, Tone::warning, "select " + code});
  }
  if (out.title.empty()) out.title = "nothing is selected";
  return out;
}

std::string facts_text(App& app) {
  std::string out;
  if (app.selection() == Selection{}) {
    for (const Line& l : overview_lines(app)) out += l.text + '\n';
    return out;
  }
  const Inspected seen = inspect_selection(app);
  out = seen.title + '\n';
  for (const Fact& f : seen.facts) out += fmt::format("{}\t{}\n", f.name, f.value);
  return out;
}

std::string chance_text(const results::TokenChance& chance) {
  return fmt::format("{} ({:.3g} %)", shown_again(chance.token), 100 * std::exp(chance.log_p));
}

const results::WorstPosition* worst_at(const results::OverText& text, std::uint64_t sequence,
                                       std::uint64_t position) {
  const auto at = std::ranges::find_if(text.positions, [&](const results::WorstPosition& p) {
    return p.sequence == sequence && p.position == position;
  });
  return at == text.positions.end() ? nullptr : &*at;
}

std::string origin_of_error(const results::LayerMetrics& layer,
                            const results::LayerMetrics* before) {
  const double inherited = before == nullptr ? 0 : before->propagated_error;
  if (layer.propagated_error == 0) return "no error";
  // Independent errors add by squares: what came in, and what the layer adds by itself.
  const double own = layer.local_error_residual;
  const double share = own * own / std::max(own * own + inherited * inherited, 1e-300);
  return fmt::format("{:.0f} % its own, {:.0f} % from the layers before", 100 * share,
                     100 * (1 - share));
}

std::string cell_text(const CellFacts& f) {
  std::string out = fmt::format("[{}, {}] {:.9g}", f.row, f.column, f.value);
  if (f.code) out += fmt::format("  code {}", *f.code);
  if (f.zero) out += fmt::format("  zero {:.0f}", *f.zero);
  if (f.scale) out += fmt::format("  scale {:.6g}", *f.scale);
  if (f.group) out += fmt::format("  group {}", *f.group);
  if (!f.reference) return out;
  out += fmt::format("  reference {:.9g}", *f.reference);
  if (f.scale && *f.scale != 0) {
    out += fmt::format("  error {:+.3f} steps", (f.value - *f.reference) / std::abs(*f.scale));
  } else {
    out += fmt::format("  error {:+.4g}", f.value - *f.reference);
  }
  return out;
}

}  // namespace ckpt::gui
