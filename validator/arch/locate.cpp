// From a stored tensor name to its place, whatever prefix and expert spelling the writer used.

#include <array>
#include <string>

#include "validator/arch/blueprint.h"
#include "validator/base/text.h"

namespace ckpt::arch {
namespace {

/// Members that a module's tensors may end in. Longest first where one ends another.
constexpr std::array<std::string_view, 18> kMembers{"weight",
                                                    "bias",
                                                    "qweight",
                                                    "qzeros",
                                                    "scales",
                                                    "g_idx",
                                                    "weight_packed",
                                                    "weight_scale",
                                                    "weight_shape",
                                                    "weight_zero_point",
                                                    "weight_scale_inv",
                                                    "weight_global_scale",
                                                    "input_scale",
                                                    "weight_g_idx",
                                                    "input_global_scale",
                                                    "weight_scale_2",
                                                    "input_zero_point",
                                                    "weight_scale_second"};

/// Splits `a.b.qweight` into `a.b` and `qweight`; no known member: the whole name and nothing.
std::pair<std::string_view, std::string_view> split_member(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {name, {}};
  const std::string_view last = name.substr(dot + 1);
  for (const std::string_view m : kMembers) {
    if (last == m) return {name.substr(0, dot), last};
  }
  return {name, {}};
}

struct Split {
  Prefix prefix;
  std::string_view rest;  ///< from `layers.`, `embed_tokens` or `norm` on
};

bool text_rest(std::string_view rest) {
  return rest.starts_with("layers.") || rest.starts_with("embed_tokens") ||
         rest.starts_with("norm.");
}

/// Recognises a text tensor. Order matters: the longest prefix that leaves text names wins.
bool split_prefix(std::string_view name, Split& out) {
  for (const Prefix p : {Prefix::doubled, Prefix::engine, Prefix::language_model, Prefix::model,
                         Prefix::bare_language_model, Prefix::none}) {
    const std::string_view text = prefix_text(p);
    if (name.starts_with(text) && text_rest(name.substr(text.size()))) {
      out = {p, name.substr(text.size())};
      return true;
    }
  }
  return false;
}

/// The number between the first `layers.` and the next dot, or -1.
int layer_in(std::string_view rest) {
  constexpr std::string_view kKey = "layers.";
  const std::size_t at = rest.find(kKey);
  if (at == std::string_view::npos) return -1;
  const std::string_view after = rest.substr(at + kKey.size());
  return parse_index(after.substr(0, after.find('.')));
}

/// What follows `.experts.`: spelling, expert and part, or false.
bool parse_expert(std::string_view tail, Placement& p, std::string_view& part) {
  const std::size_t dot = tail.find('.');
  const std::string_view first = tail.substr(0, dot);
  const std::string_view second = dot == std::string_view::npos ? "" : tail.substr(dot + 1);
  if (second.empty()) {
    part = first;
    p.spelling = Spelling::stacked;
  } else if (first == "gate_up_proj" || first == "down_proj") {
    part = first;
    p.spelling = Spelling::gate_up_suffixed;
    p.expert = parse_index(second);
  } else {
    part = second;
    p.expert = parse_index(first);
    p.spelling = part == "gate_up_proj" ? Spelling::gate_up_prefixed : Spelling::per_expert;
  }
  p.down = part == "down_proj";
  p.joined = part == "gate_up_proj";
  // Stacked experts are also seen as three tensors, without gate and up joined.
  const bool single = part == "gate_proj" || part == "up_proj";
  const bool known = p.joined || p.down || (single && p.spelling != Spelling::gate_up_suffixed);
  return known && (p.spelling == Spelling::stacked || p.expert >= 0);
}

}  // namespace

Placement Blueprint::locate(std::string_view tensor_name) const {
  Placement p;
  const auto [module, member] = split_member(tensor_name);
  p.member = member;
  Split split{};
  std::string name(module);
  p.text = split_prefix(tensor_name, split);
  if (p.text) {
    p.prefix = split.prefix;
    const std::string_view own = prefix_text(split.prefix);
    if (own != text_prefix_) name = text_prefix_ + std::string(module.substr(own.size()));
  }
  p.layer = layer_in(name);
  if (const std::int32_t exact = find(name); exact >= 0) {
    p.module = exact;
    const Module& m = modules_[static_cast<std::size_t>(exact)];
    p.expert = m.expert;
    p.down = m.part == ExpertPart::down;
    if (m.expert >= 0) p.spelling = Spelling::per_expert;
    if (m.bare != member.empty()) p.module = -1;
    return p;
  }
  constexpr std::string_view kExperts = ".experts.";
  const std::size_t at = name.find(kExperts);
  if (at == std::string::npos) return p;
  std::string_view part;
  if (!parse_expert(std::string_view(name).substr(at + kExperts.size()), p, part)) {
    p.spelling = Spelling::plain;
    return p;
  }
  // The block of this layer: its expert 0 (or e) tells where the modules stand.
  const std::string_view block = std::string_view(name).substr(0, at + kExperts.size() - 1);
  const std::string expert0 = std::string(block) + ".0.gate_proj";
  const std::int32_t first = find(expert0);
  if (first < 0) return p;
  const int expert = p.spelling == Spelling::stacked ? 0 : p.expert;
  const std::int32_t index = first + 3 * expert + (p.down ? 2 : part == "up_proj" ? 1 : 0);
  if (static_cast<std::size_t>(index) >= modules_.size()) return p;
  if (modules_[static_cast<std::size_t>(index)].expert != expert) return p;
  p.module = index;
  return p;
}

}  // namespace ckpt::arch
