#pragma once
// What the program can be told, as plain data: completions and the man page are made from it, so
// that they cannot differ from what the parser accepts.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace ckpt::cli {

/// One option, flag or positional argument.
struct OptionEntry {
  std::vector<std::string> names;    ///< `-f`, `--format`; of a positional its name alone
  std::string value;                 ///< what the help writes for the value; empty for a flag
  std::vector<std::string> choices;  ///< the only values, when there are only some
  std::string text;                  ///< one sentence
  std::string environment;           ///< variable that gives it too, or empty
  bool positional = false;
  bool repeats = false;
  bool required = false;
};

/// The program or one of its commands, in the order of the help.
struct CommandEntry {
  std::string name;
  std::string text;
  std::string footer;  ///< notes and examples, lines as they are shown
  std::vector<OptionEntry> options;
  std::vector<CommandEntry> commands;
};

/// The tables of `app` and its commands.
[[nodiscard]] CommandEntry option_table(const CLI::App& app);

/// Completion script for `bash`, `zsh` or `fish`; empty for another shell.
[[nodiscard]] std::string completions(const CommandEntry& program, std::string_view shell);

/// Manual page in roff, section 1. `exit_codes` is the table that ends the help.
[[nodiscard]] std::string man_page(const CommandEntry& program, std::string_view exit_codes);

}  // namespace ckpt::cli
