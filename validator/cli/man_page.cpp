// The manual page. What is not an option (streams, files) is said here once.

#include <fmt/format.h>

#include <algorithm>

#include "validator/cli/option_table.h"

namespace ckpt::cli {
namespace {

/// Text as roff shows it unchanged: no line of it is a request, a hyphen can be copied.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '`') {
      out += "\\(ga";
    } else if (c == '\'') {
      out += "\\(aq";
    } else {
      out += c;
    }
    line_begins = c == '\n';
  }
  return out;
}

std::string trimmed(std::string_view text) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

std::string literal(std::string_view text) {
  return fmt::format(".PP\n.nf\n{}\n.fi\n", roff(trimmed(text)));
}

std::string option_text(const OptionEntry& o) {
  std::string names;
  for (const std::string& name : o.names) {
    names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", roff(name));
  }
  if (!o.positional && !o.value.empty()) names += fmt::format(" \\fI{}\\fR", roff(o.value));
  std::string text = roff(o.text);
  const auto listed = [&o](const std::string& choice) {
    return o.text.find(choice) != std::string::npos;
  };
  // Long lists, such as the codes of all rules, have a command of their own.
  if (!o.choices.empty() && o.choices.size() <= 20 && !std::ranges::all_of(o.choices, listed)) {
    text += fmt::format(" ({})", roff(fmt::format("{}", fmt::join(o.choices, ", "))));
  }
  if (o.required) text += " (required)";
  if (!o.environment.empty()) text += fmt::format("; environment: {}", roff(o.environment));
  return fmt::format(".TP\n{}\n{}\n", names, text);
}

std::string option_list(const CommandEntry& c) {
  std::string out;
  for (const OptionEntry& o : c.options) {
    if (o.names.back() != "--help") out += option_text(o);
  }
  return out;
}

std::string command_text(const CommandEntry& c, std::string_view program,
                         std::string_view exit_codes) {
  std::string arguments;
  for (const OptionEntry& o : c.options) {
    if (o.positional) {
      arguments += fmt::format(" {}{}", roff(o.names[0]), o.repeats ? " ..." : "");
    }
  }
  std::string out = fmt::format(".SS {} {}{}\n{}{}\n{}", program, roff(c.name), arguments,
                                roff(c.text), c.text.ends_with('?') ? "" : ".", option_list(c));
  // The table of exit codes stands once, at the end.
  const std::string_view footer = c.footer;
  const std::string_view own = footer.substr(0, std::min(footer.find(exit_codes), footer.size()));
  return own.empty() ? out : out + literal(own);
}

}  // namespace

std::string man_page(const CommandEntry& program, std::string_view exit_codes) {
  const std::string name = roff(program.name);
  std::string out = fmt::format(
      ".TH CKPT\\-CHECK 1 \"\" \"ckpt\\-check {}\" \"User Commands\"\n"
      ".SH NAME\n{} \\- {}\n"
      ".SH SYNOPSIS\n"
      ".B {}\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n"
      ".SH DESCRIPTION\n"
      "A first argument that is . or .., or contains a slash, is a checkpoint to check. "
      "Standard output carries the result and nothing else; progress, hints and questions go to "
      "standard error.\n"
      ".SH OPTIONS\nBefore or after the command:\n{}"
      ".SH COMMANDS\n",
      CKPT_VERSION, name, roff(program.text), name, option_list(program));
  for (const CommandEntry& c : program.commands) out += command_text(c, name, exit_codes);
  const std::string_view table = exit_codes.substr(exit_codes.find(':') + 1);
  return out + fmt::format(
                   ".SH EXIT STATUS\n{}"
                   ".SH FILES\n"
                   ".TP\n\\fBckpt\\-check.toml\\fR\n"
                   "Configuration, looked for from the working directory up to the root of its "
                   "repository; {} schema config describes it\n"
                   ".TP\n\\fB$XDG_STATE_HOME/ckpt\\-check/runs\\fR\n"
                   "What kl has measured (default: below ~/.local/state)\n",
                   literal(table), name);
}

}  // namespace ckpt::cli
