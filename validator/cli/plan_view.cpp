#include "validator/cli/plan_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "validator/base/text.h"
#include "validator/loaders/expected.h"
#include "validator/loaders/outcome.h"

namespace ckpt::cli {
namespace {

using loaders::Decision;
using loaders::Outcome;
using loaders::PlannedModule;

config::QuantMethod method_of(const PlanView& v) {
  return v.config.quant ? v.config.quant->method : config::QuantMethod::unknown;
}

const std::string& name_of(const PlanView& v, const PlannedModule& m) {
  return m.name.empty() ? v.blueprint.modules()[m.members[0]].name : m.name;
}

/// What happens to the members: the first that is not as meant speaks for all.
std::string_view outcome_of(const PlanView& v, const PlannedModule& m) {
  if (m.decision.raises()) return loaders::outcome_text(Outcome::raises);
  if (v.stored == nullptr) return "no tensors were read";
  for (const std::uint32_t at : m.members) {
    const Outcome o = loaders::outcome_of(v.plan, v.blueprint, at, v.stored->modules[at]);
    if (o != Outcome::as_meant) return loaders::outcome_text(o);
  }
  return loaders::outcome_text(Outcome::as_meant);
}

std::string view_text(std::string_view text) {
  return shown(text, 1000);
}

nlohmann::ordered_json text_or_null(std::string_view text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(view_text(text));
}

void add_scheme(const PlanView& v, const Decision& d, nlohmann::ordered_json& out) {
  out["quantized"] = d.quantized;
  out["built_without_config"] = d.built_without_config;
  if (d.quantized) {
    const bool block = d.block[0] != 0;
    out["bits"] = d.bits;
    out["group_size"] =
        block ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(d.group_size);
    out["sym"] = d.sym;
    out["strategy"] = text_or_null(d.strategy);
    out["format"] = text_or_null(d.format);
    out["type"] = text_or_null(d.type);
    out["block"] = block ? nlohmann::ordered_json(d.block) : nlohmann::ordered_json(nullptr);
    out["input_activations"] =
        d.input_bits != 0 ? nlohmann::ordered_json(d.input_bits) : nlohmann::ordered_json(nullptr);
    out["desc_act"] = d.desc_act;
  }
  out["source"] = view_text(loaders::decided_by(v.config, d));
  out["expected"] = loaders::expected_members(method_of(v), d);
}

/// Linears and the embedding that no engine gives a quantization config stand in a plan too.
bool plain_everywhere(const arch::Module& m) {
  return m.cls == arch::ModuleClass::embedding || m.name.ends_with(".conv1d");
}

std::string scheme_text(const Decision& d) {
  if (d.raises()) return d.error;
  if (!d.quantized) return "16-bit";
  std::string out = fmt::format("{}{}", d.type == "float" || d.type == "fp" ? "FP" : "W", d.bits);
  if (d.block[0] != 0) return out + fmt::format(" {}x{}", d.block[0], d.block[1]);
  if (d.group_size > 0) {
    out += fmt::format(" g{}", d.group_size);
  } else {
    out += d.strategy == "tensor" ? " per tensor" : " per channel";
  }
  return out + (d.sym ? " sym" : " asym") + (d.desc_act ? " desc_act" : "");
}

/// `a.layers.3.b.7.c` -> `a.layers.{}.b.{}.c`, and 3.
std::string pattern_of(std::string_view name, int& number) {
  std::string out;
  number = -1;
  while (!name.empty()) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    const int value = parse_index(name.substr(0, dot));
    if (value >= 0 && number < 0) number = value;
    out += value >= 0 ? std::string_view("{}") : name.substr(0, dot);
    if (dot == name.size()) break;
    out += '.';
    name.remove_prefix(dot + 1);
  }
  return out;
}

/// {0, 1, 2, 5} -> `0-2,5`; at most a few runs, then how many more.
std::string runs(const std::vector<int>& numbers) {
  constexpr std::size_t kRuns = 6;
  std::string out;
  std::size_t shown_runs = 0;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] <= numbers[end - 1] + 1) ++end;
    if (shown_runs++ == kRuns) return out + ",...";
    out += fmt::format("{}{}", out.empty() ? "" : ",", numbers[i]);
    if (numbers[end - 1] != numbers[i]) out += fmt::format("-{}", numbers[end - 1]);
    i = end;
  }
  return out;
}

/// Modules that share a line.
struct Line {
  std::uint64_t count = 0;
  std::vector<int> numbers;
  std::string source;
  bool many_sources = false;
  std::string message;
};

using LineKey = std::tuple<std::string, std::string, std::string>;  // pattern, scheme, outcome

std::map<LineKey, Line> lines_of(const PlanView& v, std::vector<LineKey>& order) {
  std::map<LineKey, Line> lines;
  for (const PlannedModule& m : v.plan.modules) {
    int number = -1;
    LineKey key{pattern_of(name_of(v, m), number), scheme_text(m.decision),
                std::string(outcome_of(v, m))};
    const auto [it, fresh] = lines.try_emplace(key);
    Line& line = it->second;
    const std::string source = loaders::decided_by(v.config, m.decision);
    if (fresh) {
      order.push_back(std::move(key));
      line.source = source;
      line.message = m.decision.error_text;
    }
    line.many_sources = line.many_sources || source != line.source;
    ++line.count;
    if (number >= 0 && (line.numbers.empty() || line.numbers.back() != number)) {
      line.numbers.push_back(number);
    }
  }
  return lines;
}

nlohmann::ordered_json load_json(const loaders::LoadReport& r) {
  nlohmann::ordered_json out{{"verdict", loaders::verdict_name(r.verdict)},
                             {"error", text_or_null(r.error)},
                             {"why", text_or_null(r.why)}};
  for (const auto& [name, keys] :
       {std::pair{"missing", &r.missing}, {"unexpected", &r.unexpected}}) {
    out[name] = nlohmann::ordered_json::array();
    for (const std::string& key : *keys) out[name].push_back(view_text(key));
  }
  return out;
}

std::string load_text(const loaders::LoadReport& r) {
  std::string out = fmt::format("  whole load: {}", loaders::verdict_name(r.verdict));
  if (!r.why.empty()) out += ": " + shown(r.why, 160);
  for (const auto& [name, keys] :
       {std::pair{"missing", &r.missing}, {"unexpected", &r.unexpected}}) {
    if (keys->empty()) continue;
    out += fmt::format("\n      {} {} key{}, the first {}", with_commas(keys->size()), name,
                       keys->size() == 1 ? "" : "s", shown(keys->front(), 100));
  }
  return out + "\n";
}

}  // namespace

std::string plan_json(const PlanView& view) {
  nlohmann::ordered_json out;
  out["loader"] = loaders::loader_name(view.plan.loader);
  out["version"] = loaders::loader_version(view.plan.loader);
  out["method"] = view.config.quant ? text_or_null(view.config.quant->method_text)
                                    : nlohmann::ordered_json(nullptr);
  out["predicted"] = view.plan.predicted;
  if (!view.plan.predicted) out["why_not"] = view_text(view.plan.why_not);
  if (!view.plan.refused.empty()) {
    const std::size_t colon = std::min(view.plan.refused.find(':'), view.plan.refused.size());
    out["refused"] = {{"error", view_text(view.plan.refused.substr(0, colon))},
                      {"message", view_text(view.plan.refused)}};
  }
  nlohmann::ordered_json modules = nlohmann::ordered_json::array();
  if (view.plan.refused.empty()) {
    for (const PlannedModule& m : view.plan.modules) {
      nlohmann::ordered_json one;
      one["name"] = name_of(view, m);
      nlohmann::ordered_json members = nlohmann::ordered_json::array();
      for (const std::uint32_t at : m.members) members.push_back(view.blueprint.modules()[at].name);
      one["members"] = std::move(members);
      if (m.decision.raises()) {
        one["error"] = m.decision.error;
        one["message"] = view_text(m.decision.error_text);
      } else {
        add_scheme(view, m.decision, one);
        one["outcome"] = outcome_of(view, m);
      }
      modules.push_back(std::move(one));
    }
    if (view.plan.predicted) {
      Decision plain;
      plain.built_without_config = true;
      for (const arch::Module& m : view.blueprint.modules()) {
        if (!plain_everywhere(m)) continue;
        nlohmann::ordered_json one;
        one["name"] = m.name;
        one["members"] = {m.name};
        add_scheme(view, plain, one);
        one["outcome"] = nullptr;
        modules.push_back(std::move(one));
      }
    }
  }
  out["modules"] = std::move(modules);
  if (view.load != nullptr) out["load"] = load_json(*view.load);
  return out.dump(1);
}

std::string plan_text(const PlanView& view) {
  std::string out =
      fmt::format("{} {}   {}\n", loaders::loader_name(view.plan.loader),
                  loaders::loader_version(view.plan.loader),
                  view.config.quant ? shown(view.config.quant->method_text, 60) : "unquantized");
  if (!view.plan.predicted) out += fmt::format("  not predicted: {}\n", shown(view.plan.why_not));
  if (!view.plan.refused.empty()) {
    return out + fmt::format("  refuses the whole config: {}\n", shown(view.plan.refused));
  }
  std::vector<LineKey> order;
  const std::map<LineKey, Line> lines = lines_of(view, order);
  std::size_t width = 0;
  for (const LineKey& k : order) width = std::max(width, display_length(std::get<0>(k)));
  for (const LineKey& key : order) {
    const auto& [pattern, scheme, outcome] = key;
    const Line& line = lines.at(key);
    out += fmt::format("  {:<{}}  {:>6}  {:<16}  {}\n", pattern, width, with_commas(line.count),
                       scheme, outcome);
    std::string detail;
    if (!line.numbers.empty()) detail = "layers " + runs(line.numbers) + "; ";
    detail += line.many_sources ? std::string("several entries") : shown(line.source, 80);
    if (!line.message.empty()) detail += ": " + shown(line.message, 160);
    out += fmt::format("      {}\n", detail);
  }
  if (view.load != nullptr) out += load_text(*view.load);
  return out;
}

}  // namespace ckpt::cli
