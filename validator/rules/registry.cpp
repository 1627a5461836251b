#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/rules/rule.h"

namespace ckpt::rules {

#define CKPT_RULE(code) extern const Rule k##code;
#include "validator/rules/rules.inc"
#undef CKPT_RULE

namespace {

constexpr std::array kRules{
#define CKPT_RULE(code) &k##code,
#include "validator/rules/rules.inc"
#undef CKPT_RULE
};

/// A message of at most 80 characters where shortening its longest name does it: subject and places
/// have the name in full.
std::string short_message(std::string message) {
  constexpr std::size_t kMost = 80;
  constexpr std::size_t kLeastName = 12;
  const std::size_t length = display_length(message);
  if (length <= kMost) return message;
  std::size_t begin = 0;
  std::size_t size = 0;
  for (std::size_t at = message.find('`'); at != std::string::npos;) {
    const std::size_t end = message.find('`', at + 1);
    if (end == std::string::npos) break;
    if (end - at - 1 > size) {
      begin = at + 1;
      size = end - at - 1;
    }
    at = message.find('`', end + 1);
  }
  const std::string name = message.substr(begin, size);
  const std::size_t excess = length - kMost;
  const std::size_t room = display_length(name) > excess ? display_length(name) - excess : 0;
  if (size == 0) return message;
  return message.replace(begin, size, shorten_middle(name, std::max(room, kLeastName)));
}

results::Finding finding_of(const Rule& rule, Draft&& draft) {
  results::Finding f;
  f.code = std::string(rule.code);
  f.name = std::string(rule.name);
  f.severity = draft.severity.value_or(rule.severity);
  f.message = short_message(std::move(draft.message));
  f.subject = std::move(draft.subject);
  f.count = draft.count;
  f.where = std::move(draft.where);
  f.effects = std::move(draft.effects);
  f.fix = std::move(draft.fix);
  f.repairable = !draft.edits.empty();
  f.edits = std::move(draft.edits);
  return f;
}

/// Breaks `text` into lines of at most `width`, indented.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 96) {
  std::string out;
  std::string line;
  const std::string margin(indent, ' ');
  const auto flush = [&] {
    if (!line.empty()) out += margin + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (!line.empty() && indent + line.size() + 1 + word.size() > width) flush();
    if (!line.empty()) line += ' ';
    line += word;
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  flush();
  return out;
}

std::string_view needs_words(Needs needs) {
  switch (needs) {
    case Needs::headers:
      return "headers and configs";
    case Needs::values:
      return "weight values (small checkpoints always, large ones with --deep)";
    case Needs::forward:
      return "a forward pass (ckpt-check kl)";
    case Needs::base:
      return "a base checkpoint (check --base, or prune-verify)";
    case Needs::settings:
      return "the waivers of ckpt-check.toml";
  }
  return "";
}

}  // namespace

std::string_view status_name(Status status) {
  constexpr std::string_view kNames[] = {"preview", "stable", "deprecated"};
  return kNames[static_cast<std::size_t>(status)];
}

std::span<const Rule* const> all_rules() {
  return kRules;
}

const Rule* find_rule(std::string_view code) {
  const auto it = std::ranges::find_if(kRules, [code](const Rule* r) { return r->code == code; });
  return it == kRules.end() ? nullptr : *it;
}

std::vector<results::Finding> run_rules(RuleInput& in, std::vector<results::Incomplete>& skipped,
                                        std::vector<std::string>& ran) {
  for (const Rule* rule : kRules) {
    if (!is_run(*rule, in.preview)) continue;
    if (rule->needs == Needs::values && in.values == nullptr) {
      skipped.push_back({std::string(rule->code), "needs the weight values (--deep)"});
      continue;
    }
    if (rule->needs == Needs::base && in.base == nullptr) {
      skipped.push_back({std::string(rule->code), "needs a checkpoint to compare with (--base)"});
      continue;
    }
    ran.emplace_back(rule->code);
    std::vector<results::Finding> found;
    rule->run(in, [&](Draft draft) { found.push_back(finding_of(*rule, std::move(draft))); });
    std::ranges::move(found, std::back_inserter(in.earlier));
  }
  return std::move(in.earlier);
}

bool is_run(const Rule& rule, bool preview) {
  // Without a function the finding is made elsewhere.
  return rule.run != nullptr && (preview || rule.status != Status::preview);
}

results::Finding make_finding(std::string_view code, Draft draft) {
  return finding_of(*find_rule(code), std::move(draft));
}

std::string explain_text(const Rule& r) {
  std::string out = fmt::format("{}  {}\n\n", r.code, r.name);
  out += fmt::format("  severity  {}\n  group     {}\n  status    {}, since {}\n  reads     {}\n",
                     results::severity_name(r.severity), r.code.substr(0, 3), status_name(r.status),
                     r.since, needs_words(r.needs));
  out += fmt::format("  repair    {}\n",
                     r.repairable ? "possible without touching a weight" : "by hand");
  const auto section = [&out](std::string_view title, std::string_view text) {
    out += fmt::format("\n{}\n{}", title, wrapped(text, 2));
  };
  section("What it checks", r.what);
  section("Why it matters", r.why);
  section("Fails", r.bad);
  section("Passes", r.good);
  section("How to fix it", r.fix);
  section("How to waive it",
          r.unwaivable ? "It cannot be waived."
                       : fmt::format("In ckpt-check.toml: [[waiver]] code = \"{}\", subject = a "
                                     "glob, reason = why, expires = a date",
                                     r.code));
  section("Sources", r.sources);
  return out;
}

}  // namespace ckpt::rules
