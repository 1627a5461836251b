#include "reports/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/words.h"
#include "validator/base/json.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Results;

constexpr std::string_view kBegin = "<!-- ckpt-check:begin -->";
constexpr std::string_view kEnd = "<!-- ckpt-check:end -->";
// The same inside the front matter, where a comment begins with a number sign.
constexpr std::string_view kYamlBegin = "# ckpt-check:begin";
constexpr std::string_view kYamlEnd = "# ckpt-check:end";

std::string row(std::string_view label, const std::string& value) {
  return fmt::format("| {} | {} |\n", label, value);
}

std::string loaders(const Results& r) {
  std::string out;
  for (const results::LoaderOutcome& l : r.loaders) {
    out +=
        row(markdown(l.name + " " + l.version), std::string(results::loader_state_words(l.state)));
  }
  return out;
}

std::string metrics(const Results& r) {
  if (!r.metrics) return {};
  const results::Metrics& m = *r.metrics;
  std::string out = row("Mean KL(reference, this), nats per token",
                        fmt::format("{}, 95 % [{}, {}]", number(m.kl.mean), number(m.kl.ci95[0]),
                                    number(m.kl.ci95[1])));
  out += row("Median, 99th percentile of KL",
             fmt::format("{}, {}", number(m.kl.median),
                         m.kl.percentiles.contains("99") ? number(m.kl.percentiles.at("99"))
                                                         : std::string("-")));
  out += row("Same top-1 token", percent(m.top1));
  out += row("Perplexity, reference and this", number_as("{:.3f}", m.perplexity_reference) + ", " +
                                                   number_as("{:.3f}", m.perplexity_candidate));
  out += row("NaN or Inf", m.nonfinite_count == 0 ? "none" : with_commas(m.nonfinite_count));
  out += row("Measured on", markdown(fmt::format("{} tokens of {}, {}", with_commas(r.how.tokens),
                                                 r.how.text, r.how.mode)));
  return out + row("Reference", markdown(r.how.reference));
}

std::string block(const Results& r) {
  std::string out = fmt::format("{}\n## Checked with ckpt-check {}\n\n| | |\n|---|---|\n", kBegin,
                                markdown(r.tool_version));
  out += row("Verdict", fmt::format("{}: {}", verdict_word(r), counts_text(r)));
  if (!r.checkpoint.scheme.empty()) out += row("Scheme", markdown(r.checkpoint.scheme));
  return out + loaders(r) + metrics(r) + std::string(kEnd) + "\n";
}

/// A number for YAML: its schema has words for what is not finite.
std::string yaml(double v) {
  if (std::isnan(v)) return ".nan";
  if (std::isinf(v)) return v > 0 ? ".inf" : "-.inf";
  return fmt::format("{}", v);
}

/// A dataset has a name and a type without spaces: `builtin:mixed-v1` becomes `builtin-mixed-v1`.
std::string type_of(std::string_view text) {
  std::string out;
  for (const char c : text.substr(text.rfind('/') + 1)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_';
    out += plain ? c : '-';
  }
  return out.empty() ? "text" : out;
}

/// Our entry of `model-index`, every line after `indent` spaces. Strings are JSON literals, which
/// YAML reads alike.
std::string model_index_entry(const Results& r, std::size_t indent) {
  const results::Metrics& m = *r.metrics;
  const std::string data = fmt::format("{}, {} tokens", r.how.text, r.how.tokens);
  std::string out;
  const auto line = [&](std::string_view text) {
    out += fmt::format("{}{}\n", std::string(indent, ' '), text);
  };
  line(kYamlBegin);
  line(fmt::format("- name: {}", json::quoted(repo_name(r.target))));
  line("  results:");
  line("  - task: {type: text-generation, name: Fidelity to the reference model}");
  line(fmt::format("    dataset: {{type: {}, name: {}}}", json::quoted(type_of(r.how.text)),
                   json::quoted(data)));
  line("    metrics:");
  line(fmt::format(
      "    - {{type: kl_divergence, name: \"Mean KL(reference || this), nats per token\", value: "
      "{}, args: {{tokens: {}, ci95: [{}, {}]}}}}",
      yaml(m.kl.mean), r.how.tokens, yaml(m.kl.ci95[0]), yaml(m.kl.ci95[1])));
  line(fmt::format("    - {{type: top1_agreement, name: Same top-1 token, value: {}}}",
                   yaml(m.top1)));
  line(kYamlEnd);
  return out;
}

/// Lines with their ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end == std::string_view::npos ? end : end + 1));
    text.remove_prefix(lines.back().size());
  }
  return lines;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && std::string_view(" \t\r\n").find(line.back()) != std::string_view::npos) {
    line.remove_suffix(1);
  }
  while (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

std::size_t indent_of(std::string_view line) {
  return line.find_first_not_of(' ') == std::string_view::npos ? 0 : line.find_first_not_of(' ');
}

/// Lines of the front matter [1, end), `end` being the closing line.
struct FrontMatter {
  std::vector<std::string_view> lines;
  std::size_t end = 0;
};

std::string with_lines(const FrontMatter& f, std::size_t begin, std::size_t end,
                       std::string_view replacement) {
  std::string out;
  for (std::size_t i = 0; i < begin; ++i) out += f.lines[i];
  out += replacement;
  for (std::size_t i = end; i < f.lines.size(); ++i) out += f.lines[i];
  return out;
}

std::size_t find_line(const FrontMatter& f, std::size_t from, std::string_view wanted) {
  for (std::size_t i = from; i < f.end; ++i) {
    if (trimmed(f.lines[i]) == wanted) return i;
  }
  return f.end;
}

/// Puts the entry behind the entries of others, indented as they are.
Result<std::string> add_entry(const FrontMatter& f, std::size_t key, const Results& r) {
  if (trimmed(f.lines[key]) != "model-index:") {
    return fail(ErrorKind::format, "model-index is no list of lines; add the entry by hand");
  }
  std::size_t last = key + 1;
  std::size_t indent = 0;
  bool first = true;
  for (; last < f.end; ++last) {
    const std::string_view line = f.lines[last];
    if (trimmed(line).empty() || trimmed(line).starts_with('#')) continue;
    const bool item = trimmed(line).starts_with("- ");
    if (indent_of(line) == 0 && !item) break;
    if (first) indent = indent_of(line);
    first = false;
  }
  return with_lines(f, last, last, model_index_entry(r, indent));
}

/// Where `marker` is a line of its own: inside one it may be text of a checkpoint.
std::vector<std::size_t> own_lines(std::string_view card, std::string_view marker) {
  std::vector<std::size_t> out;
  for (std::size_t at = 0; (at = card.find(marker, at)) != std::string_view::npos; ++at) {
    const std::string_view after = card.substr(at + marker.size());
    const bool begins = at == 0 || card[at - 1] == '\n';
    if (begins && (after.empty() || after.starts_with('\n') || after.starts_with("\r\n"))) {
      out.push_back(at);
    }
  }
  return out;
}

}  // namespace

Result<std::string> update_card(std::string_view card, std::string_view block) {
  const std::vector<std::size_t> begins = own_lines(card, kBegin);
  const std::vector<std::size_t> ends = own_lines(card, kEnd);
  if (begins.empty() && ends.empty()) {
    const std::string_view gap = card.empty() ? "" : card.ends_with('\n') ? "\n" : "\n\n";
    return fmt::format("{}{}{}", card, gap, block);
  }
  if (begins.size() != 1 || ends.size() != 1 || ends[0] < begins[0]) {
    return fail(ErrorKind::format, fmt::format("the card needs one line `{}` and after it one line "
                                               "`{}`, or neither",
                                               kBegin, kEnd));
  }
  const std::string_view after = card.substr(ends[0] + kEnd.size());
  if (block.ends_with('\n') && !after.empty()) block.remove_suffix(1);
  return fmt::format("{}{}{}", card.substr(0, begins[0]), block, after);
}

Result<std::string> update_front_matter(std::string_view card, const Results& r) {
  if (!r.metrics) return fail(ErrorKind::not_found, "the front matter needs the numbers of kl");
  FrontMatter f{lines_of(card)};
  if (f.lines.empty() || trimmed(f.lines[0]) != "---") {
    return fmt::format("---\nmodel-index:\n{}---\n{}", model_index_entry(r, 0), card);
  }
  f.end = 1;
  while (f.end < f.lines.size() && trimmed(f.lines[f.end]) != "---") ++f.end;
  if (f.end == f.lines.size()) return fail(ErrorKind::format, "the front matter does not end");
  const std::size_t ours = find_line(f, 1, kYamlBegin);
  if (ours != f.end) {
    const std::size_t last = find_line(f, ours, kYamlEnd);
    if (last == f.end) {
      return fail(ErrorKind::format, fmt::format("`{}` without its end", kYamlBegin));
    }
    return with_lines(f, ours, last + 1, model_index_entry(r, indent_of(f.lines[ours])));
  }
  for (std::size_t i = 1; i < f.end; ++i) {
    if (f.lines[i].starts_with("model-index:")) return add_entry(f, i, r);
  }
  return with_lines(f, f.end, f.end, "model-index:\n" + model_index_entry(r, 0));
}

Result<std::string> render_card(const ResultsList& all, const Options&) {
  if (all.size() != 1) return fail(ErrorKind::usage, "a card describes one target");
  return block(all[0]);
}

}  // namespace ckpt::reports
