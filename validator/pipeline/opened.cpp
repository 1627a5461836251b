#include "validator/pipeline/opened.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "validator/base/text.h"
#include "validator/repo/hub.h"

namespace ckpt::pipeline {
namespace {

/// How many modules the stored tensors can back. Experts stacked in one tensor count by their first
/// axis, as far as its bytes go; an index counts although its shards may be missing.
std::uint64_t module_limit(const container::Checkpoint& checkpoint) {
  constexpr std::uint64_t kBase = 20'000;
  std::uint64_t n = kBase + 4 * checkpoint.tensors().size();
  for (const container::Tensor& t : checkpoint.tensors()) {
    if (t.shape.size() == 3) n += 3 * std::min(t.shape[0], t.bytes());
  }
  if (checkpoint.index()) n += 4 * checkpoint.index()->entries.size();
  return n;
}

std::string method_words(const config::QuantConfig& q) {
  switch (q.method) {
    case config::QuantMethod::auto_round:
      return "auto-round";
    case config::QuantMethod::compressed_tensors:
      return "compressed-tensors";
    default:
      return shown(q.method_text, 40);
  }
}

std::string group_words(std::int64_t group) {
  return group > 0 ? fmt::format(" g{}", group) : std::string(" per channel");
}

std::string scheme_text(const OpenedRepo& o) {
  if (!o.config.quant) return "unquantized";
  const config::QuantConfig& q = *o.config.quant;
  std::string out = method_words(q);
  if (q.method == config::QuantMethod::compressed_tensors) {
    for (const config::ConfigGroup& g : q.groups) {
      if (!g.weights) continue;
      out += fmt::format("{} W{}{} {}", &g == &q.groups.front() ? "" : ",", g.weights->num_bits,
                         group_words(g.weights->group_size),
                         g.weights->symmetric ? "symmetric" : "asymmetric");
    }
    return out;
  }
  if (q.bits) out += fmt::format(" W{}", *q.bits);
  if (q.group_size) out += group_words(*q.group_size);
  if (q.sym) out += *q.sym ? " symmetric" : " asymmetric";
  return out;
}

/// Classes of linears that a quantized checkpoint keeps at 16 bits, in words.
std::string kept_text(const OpenedRepo& o) {
  if (!o.config.quant || !o.blueprint) return {};
  using arch::ModuleClass;
  std::set<ModuleClass> plain;
  std::set<ModuleClass> packed;
  for (std::size_t i = 0; i < o.stored.modules.size(); ++i) {
    const arch::Module& m = o.blueprint->modules()[i];
    if (!m.linear) continue;
    const quant::Format f = o.stored.modules[i].format;
    if (f == quant::Format::plain) plain.insert(m.cls);
    if (quant::is_quantized(f)) packed.insert(m.cls);
  }

  struct Words {
    ModuleClass cls;
    std::string_view text;
  };

  constexpr Words kWords[] = {{ModuleClass::router, "routers"},
                              {ModuleClass::shared_expert_gate, "shared-expert gates"},
                              {ModuleClass::shared_expert, "shared experts"},
                              {ModuleClass::linear_attention, "linear attention"},
                              {ModuleClass::full_attention, "full attention"},
                              {ModuleClass::vision, "vision tower"},
                              {ModuleClass::head, "head"}};
  std::string out;
  for (const Words& w : kWords) {
    if (!plain.contains(w.cls) || packed.contains(w.cls)) continue;
    out += fmt::format("{}{}", out.empty() ? "" : ", ", w.text);
  }
  return out;
}

/// Logical weights: a packed module counts the weights it holds.
std::uint64_t parameter_count(const OpenedRepo& o) {
  std::uint64_t n = 0;
  if (!o.blueprint) {
    for (const container::Tensor& t : o.checkpoint.tensors()) {
      n += element_count(t.shape).value_or(0);
    }
    return n;
  }
  for (std::size_t i = 0; i < o.stored.modules.size(); ++i) {
    const quant::Stored& s = o.stored.modules[i];
    const arch::Module& m = o.blueprint->modules()[i];
    if (s.format == quant::Format::absent) continue;
    n += element_count(m.shape).value_or(0);
    if (s.at(quant::Member::bias) >= 0) n += m.shape[0];
  }
  return n;
}

}  // namespace

OpenedRepo::OpenedRepo(repo::Repo opened)
    : repo(std::move(opened)),
      checkpoint(container::Checkpoint::open(repo)),
      config(config::read_model_config(repo)) {
  if (config.document == nullptr || !config.document->root().is(json::Kind::object)) return;
  auto built = arch::build_blueprint(config, module_limit(checkpoint));
  if (!built) {
    blueprint_error = std::move(built).error();
    return;
  }
  blueprint.emplace(*std::move(built));
  stored = quant::match_stored(*blueprint, checkpoint);
}

Result<std::unique_ptr<OpenedRepo>> open_target(const std::string& target) {
  return open_target(target, {});
}

Result<std::unique_ptr<OpenedRepo>> open_target(const std::string& target,
                                                const repo::HubOptions& hub) {
  auto repo = repo::Repo::open(target, hub);
  if (!repo) return tl::make_unexpected(std::move(repo).error());
  return std::make_unique<OpenedRepo>(*std::move(repo));
}

results::CheckpointFacts facts_of(const OpenedRepo& o) {
  results::CheckpointFacts f;
  f.architecture = shown(o.config.architecture, 80);
  f.tensors = o.checkpoint.tensors().size();
  f.shards = o.checkpoint.shards().size();
  for (const container::Tensor& t : o.checkpoint.tensors()) f.bytes += t.bytes();
  f.parameters = parameter_count(o);
  if (!o.config.supported) return f;
  const config::TextConfig& t = o.config.text;
  f.layers = t.layer_types.size();
  f.full_layers = static_cast<std::uint64_t>(
      std::ranges::count(t.layer_types, config::LayerType::full_attention));
  f.linear_layers = f.layers - f.full_layers;
  if (t.moe) {
    f.experts = static_cast<std::uint64_t>(t.num_experts);
    f.top_k = static_cast<std::uint64_t>(t.num_experts_per_tok);
    f.shared_expert = true;
  }
  f.scheme = scheme_text(o);
  f.kept = kept_text(o);
  return f;
}

results::Target target_of(const OpenedRepo& o) {
  results::Target t;
  t.input = shown(o.repo.input(), 1000);
  t.kind = o.repo.kind();
  t.repo_id = shown(o.repo.repo_id());
  t.revision = o.repo.revision();
  for (const repo::Entry& e : o.repo.entries()) t.files.push_back({shown(e.name), e.bytes});
  return t;
}

}  // namespace ckpt::pipeline
