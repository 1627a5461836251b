// compressed-tensors 0.19 (utils/match.py): exact names, then regexes from the start of the name,
// then class names; within each, alphabetical order of the pattern. The engines go through names
// and regexes together, in file order.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <tuple>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

constexpr std::string_view kRegex = "re:";

std::vector<std::string> regexes(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& t : texts) {
    // Others keep their place with a pattern that matches nothing.
    out.push_back(t.starts_with(kRegex) ? t.substr(kRegex.size()) : "[^\\x{0}-\\x{10FFFF}]");
  }
  return out;
}

std::vector<std::string> mapped_texts(const std::vector<config::Pattern>& patterns,
                                      const NameMap& map) {
  std::vector<std::string> out;
  for (const config::Pattern& p : patterns) {
    const bool names = p.text.find('.') != std::string::npos && !p.text.starts_with(kRegex);
    out.push_back(names ? map.text(p.text) : p.text);
  }
  return out;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  // clang 14 does not compile std::ranges::search.
  return part.empty() ||
         std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

TargetTable::TargetTable(const config::QuantConfig& quant, const NameMap& map, bool file_order)
    : q_(quant), ignore_patterns_({}, Anchor::start), target_patterns_({}, Anchor::start) {
  const std::vector<std::string> ignore = mapped_texts(quant.ignore, map);
  ignore_patterns_ = PatternSet(regexes(ignore), Anchor::start);
  ignore_.insert(ignore.begin(), ignore.end());
  for (std::size_t g = 0; g < quant.groups.size(); ++g) {
    for (std::string& t : mapped_texts(quant.groups[g].targets, map)) {
      targets_.push_back({std::move(t), static_cast<int>(g)});
    }
  }
  if (!file_order) std::ranges::stable_sort(targets_, {}, &Target::text);
  std::vector<std::string> texts;
  for (const Target& t : targets_) {
    exact_.try_emplace(t.text, static_cast<int>(texts.size()));
    texts.push_back(t.text);
  }
  target_patterns_ = PatternSet(regexes(texts), Anchor::start);
}

bool TargetTable::ignored_exactly(std::string_view name) const {
  return ignore_.contains(std::string(name));
}

bool TargetTable::ignored(std::string_view name, std::string_view cls) const {
  if (ignored_exactly(name)) return true;
  if (!cls.empty() && ignored_exactly(cls)) return true;
  return ignore_patterns_.first_match(name) >= 0;
}

bool TargetTable::ignored_suffix(std::string_view name) const {
  if (ignored(name, "")) return true;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    if (ignored_exactly(name.substr(dot + 1))) return true;
  }
  return false;
}

int TargetTable::group_by_name(std::string_view name) const {
  const auto exact = exact_.find(std::string(name));
  const int at = exact != exact_.end() ? exact->second : target_patterns_.first_match(name);
  return at < 0 ? -1 : targets_[static_cast<std::size_t>(at)].group;
}

int TargetTable::group_in_order(std::string_view name) const {
  const auto exact = exact_.find(std::string(name));
  int at = target_patterns_.first_match(name);
  if (exact != exact_.end() && (at < 0 || exact->second < at)) at = exact->second;
  return at < 0 ? -1 : targets_[static_cast<std::size_t>(at)].group;
}

int TargetTable::group_by_class(std::string_view cls) const {
  for (const Target& t : targets_) {
    if (!t.text.starts_with(kRegex) && contains_ignoring_case(cls, t.text)) return t.group;
  }
  return -1;
}

int TargetTable::group(std::string_view name, std::string_view cls) const {
  const int g = group_by_name(name);
  return g >= 0 ? g : group_by_class(cls);
}

Decision TargetTable::decision(int group) const {
  Decision d;
  if (group < 0) return d;
  const config::ConfigGroup& g = q_.groups[static_cast<std::size_t>(group)];
  if (!g.weights) return d;
  d.quantized = true;
  d.bits = g.weights->num_bits;
  d.group_size = g.weights->group_size;
  d.sym = g.weights->symmetric;
  d.strategy = g.weights->strategy;
  d.type = g.weights->type;
  d.format = g.format.empty() ? q_.format : g.format;
  d.input_bits = g.input_bits;
  d.entry = group;
  return d;
}

std::string removed_actorder(const config::QuantConfig& quant) {
  for (const config::ConfigGroup& g : quant.groups) {
    if (!g.weights) continue;
    const std::string& order = g.weights->actorder;
    if (order == "group" || order == "dynamic") {
      return fmt::format("ValidationError: actorder='{}' has been removed", order);
    }
  }
  return {};
}

bool same_scheme(const Decision& a, const Decision& b) {
  const auto key = [](const Decision& d) {
    return std::tie(d.quantized, d.bits, d.group_size, d.sym, d.strategy, d.type, d.input_bits);
  };
  return key(a) == key(b);
}

Decision different_projections() {
  return raises("ValueError", "All MoE projections need to have same quantization scheme");
}

Decision ct_kernel(Decision d, bool experts, bool dense_any_width) {
  if (!d.quantized || d.raises() || d.input_bits != 0 || d.type != "int") return d;
  if (d.strategy != "group" && d.strategy != "channel") {
    return raises("NotImplementedError", "No compressed-tensors compatible scheme was found.");
  }
  const bool packed = d.format == "pack-quantized";
  if (experts || dense_any_width || (packed && (d.bits == 4 || d.bits == 8))) return d;
  return raises("ImportError", fmt::format("no dense kernel for {} bits, {}", d.bits, d.format));
}

}  // namespace ckpt::loaders
