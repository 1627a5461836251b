// compressed-tensors 0.19 (utils/match.py): exact names, then regexes from the start of the name,
// then class names; within each, alphabetical order of the pattern (vLLM: file order).

#include <algorithm>
#include <cctype>

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

std::vector<std::string> pattern_texts(const std::vector<config::Pattern>& patterns) {
  std::vector<std::string> out;
  for (const config::Pattern& p : patterns) out.push_back(p.text);
  return out;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  const auto it = std::ranges::search(text, part, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
  return !it.empty();
}

}  // namespace

TargetTable::TargetTable(const config::QuantConfig& quant, bool file_order)
    : q_(quant),
      ignore_(pattern_texts(quant.ignore)),
      ignore_patterns_(regexes(ignore_), Anchor::start),
      target_patterns_({}, Anchor::start) {
  for (std::size_t g = 0; g < quant.groups.size(); ++g) {
    for (const config::Pattern& t : quant.groups[g].targets) {
      targets_.push_back({t.text, static_cast<int>(g)});
    }
  }
  if (!file_order) std::ranges::stable_sort(targets_, {}, &Target::text);
  std::vector<std::string> texts;
  for (const Target& t : targets_) texts.push_back(t.text);
  target_patterns_ = PatternSet(regexes(texts), Anchor::start);
}

bool TargetTable::ignored(std::string_view name, std::string_view cls) const {
  for (const std::string& i : ignore_) {
    if (i == name || (!cls.empty() && i == cls)) return true;
  }
  return ignore_patterns_.first_match(name) >= 0;
}

int TargetTable::group(std::string_view name, std::string_view cls) const {
  if (!name.empty()) {
    int best = -1;
    for (std::size_t i = 0; i < targets_.size() && best < 0; ++i) {
      if (targets_[i].text == name) best = static_cast<int>(i);
    }
    if (best < 0) best = target_patterns_.first_match(name);
    if (best >= 0) return targets_[static_cast<std::size_t>(best)].group;
  }
  if (cls.empty()) return -1;
  for (const Target& t : targets_) {
    if (!t.text.starts_with(kRegex) && contains_ignoring_case(cls, t.text)) return t.group;
  }
  return -1;
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
  d.entry = group;
  return d;
}

}  // namespace ckpt::loaders
