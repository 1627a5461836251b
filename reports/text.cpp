#include <fmt/format.h>

#include <algorithm>

#include "reports/reports.h"
#include "reports/screen.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Finding;
using results::LoaderState;
using results::Location;
using results::Results;
using results::Severity;

constexpr std::size_t kLabel = 12;  // width of the identity block's first column

Paint severity_paint(Severity s) {
  switch (s) {
    case Severity::error:
      return Paint::red;
    case Severity::warning:
      return Paint::yellow;
    case Severity::info:
      return Paint::cyan;
  }
  return Paint::none;
}

std::string row(std::string_view label, std::string_view text, const TextOptions& o) {
  return fmt::format("  {:<{}}{}\n", label, kLabel, wrap(text, kLabel + 2, kLabel + 2, o.width));
}

std::string identity(const Results& r, const TextOptions& o) {
  const results::CheckpointFacts& c = r.checkpoint;
  std::string out;
  if (!c.architecture.empty()) out += row("model", c.architecture, o);
  if (c.layers != 0) {
    out += row("", shape_text(c), o);
  }
  if (!c.scheme.empty()) {
    out += row("scheme", c.scheme + (c.kept.empty() ? "" : "; " + c.kept + " at 16 bits"), o);
  }
  // A target that could not be opened has no size to speak of.
  if (c.tensors != 0 || !c.architecture.empty()) {
    out += row("size", size_text(c), o);
  }
  if (!r.target.repo_id.empty()) {
    out += row("from", fmt::format("{} at {}", r.target.repo_id, r.target.revision), o);
  }
  return out + "\n";
}

/// The source line with the caret below, shortened around the marked part.
std::string excerpt(const Location& w, const TextOptions& o) {
  const std::string number = std::to_string(w.line);
  const std::string margin(number.size(), ' ');
  std::string line = shown(w.source_line, 4000);
  // A results file may name any column.
  std::size_t begin = std::min<std::size_t>(std::max(w.column, 1U) - 1, display_length(line));
  std::size_t length =
      w.end_line == w.line && w.end_column > w.column ? w.end_column - w.column : 1;
  const std::size_t room = o.width - number.size() - 4;
  if (display_length(line) > room) {
    // Only lines of plain ASCII can be cut by columns; others lose their tail.
    const std::size_t from = begin > room / 3 ? begin - room / 3 : 0;
    line = line.substr(std::min(from, line.size()), room);
    begin -= from;
  }
  length = std::min(length, room > begin ? room - begin : 1);
  std::string carets = std::string(begin, ' ') + std::string(std::max<std::size_t>(length, 1), '^');
  const std::string bar = paint(Paint::cyan, fmt::format("{} |", margin), o);
  std::string out = fmt::format("{}\n", bar);
  out += fmt::format("{} {}\n", paint(Paint::cyan, number + " |", o), line);
  const std::size_t column = number.size() + 3 + begin + length + 1;
  const bool beside = column + display_length(w.note) <= o.width;
  out += fmt::format("{} {}{}\n", bar, paint(Paint::red, carets, o),
                     beside && !w.note.empty() ? " " + w.note : "");
  if (!beside) {
    const std::size_t indent = number.size() + 3;
    out += fmt::format("{} {}\n", bar, wrap(w.note, indent, indent, o.width));
  }
  return out;
}

std::string stored_line(const Location& w, const TextOptions& o) {
  const std::string name = w.tensor.empty() ? w.module : w.tensor;
  if (name.empty()) return w.note.empty() ? "" : fmt::format("    | {}\n", w.note);
  std::string dtype;
  if (!w.dtype.empty()) dtype = fmt::format("   {} [{}]", w.dtype, fmt::join(w.shape, ", "));
  return fmt::format("    | {}{}\n", shorten_middle(name, o.width - 6 - dtype.size()), dtype);
}

std::string places(const Finding& f, const TextOptions& o) {
  std::string out;
  const std::uint64_t n = std::min<std::uint64_t>(f.where.size(), o.show);
  for (std::uint64_t i = 0; i < n; ++i) {
    const Location& w = f.where[i];
    out += fmt::format("  {} {}\n", paint(Paint::cyan, "-->", o), place_text(w));
    out += w.line != 0 && !w.source_line.empty() ? excerpt(w, o) : stored_line(w, o);
  }
  if (f.count > n && n != 0) {
    out += fmt::format("    = and {} more{}\n", with_commas(f.count - n),
                       f.where.size() > n ? "   (--show all)" : "");
  }
  return out;
}

/// A finding that does not count, on one line.
std::string set_aside(const Finding& f, const TextOptions& o) {
  return fmt::format(
      "{} {}\n", paint(Paint::cyan, fmt::format("{}[{}]", f.status, f.code), o),
      wrap(fmt::format("{}: {}   ({})", f.name, f.message, set_aside_text(f)), 14, 4, o.width));
}

std::string finding_text(const Finding& f, const TextOptions& o) {
  if (f.status != "new") return set_aside(f, o) + "\n";
  const std::string head = fmt::format("{}[{}]", results::severity_name(f.severity), f.code);
  const std::size_t column = head.size() + f.name.size() + 3;
  std::string out = fmt::format("{} {}: {}\n", paint(severity_paint(f.severity), head, o), f.name,
                                paint(Paint::bold, wrap(f.message, column, 4, o.width), o));
  out += places(f, o);
  for (const std::string& effect : effect_lines(f)) {
    out += fmt::format("    = effect  {}\n", wrap(effect, 14, 14, o.width));
  }
  if (!f.fix.empty()) {
    out += fmt::format("    = fix     {}{}\n", wrap(f.fix, 14, 14, o.width - 14),
                       f.repairable ? "   [repairable]" : "");
  }
  return out + "\n";
}

std::string loaders_text(const Results& r, const TextOptions& o) {
  std::string out;
  for (const results::LoaderOutcome& l : r.loaders) {
    const bool good = l.state == LoaderState::loads_as_meant;
    const Paint p = good ? Paint::green
                    : l.state == LoaderState::not_predicted || l.state == LoaderState::slow_path
                        ? Paint::yellow
                        : Paint::red;
    const std::string tail = !l.note.empty() ? l.note : fmt::format("{}", fmt::join(l.codes, " "));
    const std::string_view words = results::loader_state_words(l.state);
    out += fmt::format("  {:<13} {}", l.name, paint(p, words, o));
    if (!tail.empty()) {
      out += std::string(16 - words.size(), ' ') + wrap(tail, 32, 32, o.width);
    }
    out += "\n";
  }
  return out.empty() ? out : out + "\n";
}

Paint verdict_paint(const Results& r) {
  if (r.run.verdict == "pass") return Paint::green;
  return r.run.verdict == "fail" ? Paint::red : Paint::yellow;
}

std::string verdict_line(const Results& r, const TextOptions& o) {
  const std::string counts = counts_text(r);
  const std::string how = depth_text(r);
  const std::string word = verdict_word(r);
  if (how.empty()) {
    return fmt::format("  {}   {}\n", paint(verdict_paint(r), word, o), counts);
  }
  const std::string line = fmt::format("   {:<34}  {}", counts, how);
  const bool fits = 2 + word.size() + line.size() <= o.width;
  return fmt::format(
      "  {}{}\n", paint(verdict_paint(r), word, o),
      fits ? line : fmt::format("   {}\n         {}", counts, wrap(how, 9, 9, o.width)));
}

std::string next_steps(const Results& r, const TextOptions& o) {
  std::string out;
  if (r.run.command == "check" && r.run.verdict == "pass") {
    std::string missing = "the distance to BF16";
    if (r.target.kind == "hub") {
      return fmt::format(
          "\n  Not looked at yet: weight values and {}; both need `hf download {}`\n", missing,
          r.target.repo_id);
    }
    if (r.run.depth == "headers") missing = "weight values (add --deep) and " + missing;
    if (r.checkpoint.scheme == "unquantized") {
      return r.run.depth == "headers" ? "\n  Not looked at yet: weight values (add --deep)\n" : "";
    }
    out += fmt::format("\n  Not looked at yet: {}:\n    ckpt-check kl {} --reference BF16_MODEL\n",
                       missing, r.target.input);
  }
  const auto worst = std::ranges::find_if(
      r.findings, [](const Finding& f) { return f.severity == Severity::error; });
  if (worst != r.findings.end()) {
    const auto repairable = static_cast<std::uint64_t>(
        std::ranges::count_if(r.findings, [](const Finding& f) { return f.repairable; }));
    if (repairable != 0) {
      const std::string how_many = repairable == r.findings.size()
                                       ? fmt::format("All {}", repairable)
                                       : fmt::format("{} of {}", repairable, r.findings.size());
      out += fmt::format(
          "\n  {}\n",
          wrap(how_many + " can be repaired without touching a weight: see `ckpt-check fix`", 2, 2,
               o.width));
    }
    out += fmt::format("  What a code means:  ckpt-check explain {}\n", worst->code);
  }
  return out;
}

}  // namespace

std::string identity_text(const Results& r, const TextOptions& o) {
  return fmt::format("ckpt-check {}   {}\n\n", CKPT_VERSION,
                     shorten_middle(r.target.input, o.width - 20)) +
         identity(r, o);
}

std::string text(const Results& r, const TextOptions& o) {
  std::string out;
  if (!o.quiet) out += identity_text(r, o);
  for (const Severity s : {Severity::info, Severity::warning, Severity::error}) {
    for (const Finding& f : r.findings) {
      if (f.severity == s) out += finding_text(f, o);
    }
  }
  if (r.metrics && !o.quiet) out += kl_text(r, o);
  if (!o.quiet) out += loaders_text(r, o);
  for (const results::Incomplete& i : r.run.incomplete) {
    out += fmt::format("  not looked at: {}: {}\n", i.what,
                       wrap(i.why, 20 + i.what.size(), 4, o.width));
  }
  out += verdict_line(r, o);
  if (o.quiet) return out;
  for (const std::string& n : r.notes) out += fmt::format("\n  {}\n", wrap(n, 2, 2, o.width));
  if (!r.kept_in.empty()) {
    out += fmt::format("\n  {}\n    ckpt-check gui {} {}\n",
                       wrap("Kept in " + r.kept_in + "; look at it with", 2, 2, o.width),
                       r.target.input, r.kept_in);
  }
  out += next_steps(r, o);
  if (!r.ranking.empty()) out += "\n" + ranking_text(r, o);
  return out;
}

}  // namespace ckpt::reports
