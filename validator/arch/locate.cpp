// From a stored tensor name to its place, whatever prefix and expert spelling the writer used.

#include <string>

#include "validator/arch/blueprint.h"
#include "validator/base/text.h"

namespace ckpt::arch {
namespace {

/// Splits `a.b.qweight` into `a.b` and its member; no known member: the whole name and none.
std::pair<std::string_view, std::optional<Member>> split_member(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {name, std::nullopt};
  const std::optional<Member> member = member_of(name.substr(dot + 1));
  return {member ? name.substr(0, dot) : name, member};
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

constexpr std::string_view kExperts = ".experts.";

/// transformers writes the scales of stacked FP8 experts as `experts.down_proj_scale_inv`.
constexpr std::string_view kStackedScale = "_scale_inv";

/// What follows `.experts.`: spelling, expert and part, or false.
bool parse_expert(std::string_view tail, Placement& p, std::string_view& part) {
  const std::size_t dot = tail.find('.');
  std::string_view first = tail.substr(0, dot);
  const std::string_view second = dot == std::string_view::npos ? "" : tail.substr(dot + 1);
  if (second.empty()) {
    if (!p.member && first.ends_with(kStackedScale)) {
      first.remove_suffix(kStackedScale.size());
      p.member = Member::weight_scale_inv;
    }
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

const ExpertBlock* Blueprint::block_of(std::string_view prefix, std::string_view rest,
                                       int layer) const {
  const auto is = [&](const ExpertBlock& b) {
    const std::string_view own = b.prefix;
    return own.size() == prefix.size() + rest.size() && own.starts_with(prefix) &&
           own.ends_with(rest);
  };
  if (const ExpertBlock* b = experts_of_layer(layer); b != nullptr && is(*b)) return b;
  for (const ExpertBlock& b : blocks_) {
    if (b.mtp && is(b)) return &b;
  }
  return nullptr;
}

void Blueprint::place_expert(std::string_view prefix, std::string_view rest, std::size_t experts,
                             Placement& p) const {
  std::string_view part;
  const std::size_t end = experts + kExperts.size();
  if (!parse_expert(rest.substr(end), p, part)) {
    p.spelling = Spelling::plain;
    return;
  }
  if (p.spelling == Spelling::per_expert && !p.member) return;
  const ExpertBlock* block = block_of(prefix, rest.substr(0, end - 1), p.layer);
  if (block == nullptr) return;
  const int expert = p.spelling == Spelling::stacked ? 0 : p.expert;
  const std::uint64_t index = block->first + 3 * static_cast<std::uint64_t>(expert) +
                              (p.down              ? 2U
                               : part == "up_proj" ? 1U
                                                   : 0U);
  // Beyond the last expert stand other modules.
  if (index >= modules_.size() || modules_[index].expert != expert) return;
  p.module = static_cast<std::int32_t>(index);
}

std::int32_t Blueprint::find(std::string_view name) const {
  const std::size_t experts = name.find(kExperts);
  if (experts == std::string_view::npos) {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? -1 : it->second;
  }
  Placement p;
  p.member = Member::weight;
  p.layer = layer_in(name);
  place_expert({}, name, experts, p);
  return p.spelling == Spelling::per_expert ? p.module : -1;
}

Placement Blueprint::locate(std::string_view tensor_name) const {
  Placement p;
  const auto [module, member] = split_member(tensor_name);
  p.member = member;
  Split split{};
  p.text = split_prefix(tensor_name, split);
  std::string_view rest = module;
  std::string_view prefix;
  if (p.text) {
    p.prefix = split.prefix;
    rest.remove_prefix(prefix_text(split.prefix).size());
    prefix = text_prefix_;
  }
  p.layer = layer_in(rest);
  if (const std::size_t at = rest.find(kExperts); at != std::string_view::npos) {
    place_expert(prefix, rest, at, p);
    return p;
  }
  const std::int32_t exact = find(std::string(prefix).append(rest));
  if (exact >= 0 && modules_[static_cast<std::size_t>(exact)].bare != member.has_value()) {
    p.module = exact;
  }
  return p;
}

}  // namespace ckpt::arch
