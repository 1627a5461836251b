// Completion scripts. A value without a list of choices is completed as a file.

#include <fmt/format.h>

#include <algorithm>

#include "validator/cli/option_table.h"

namespace ckpt::cli {
namespace {

std::string names_of(const std::vector<OptionEntry>& options, std::string_view between) {
  std::vector<std::string> all;
  for (const OptionEntry& o : options) {
    if (!o.positional) all.insert(all.end(), o.names.begin(), o.names.end());
  }
  return fmt::format("{}", fmt::join(all, between));
}

std::string command_names(const CommandEntry& program, std::string_view between) {
  std::vector<std::string_view> all;
  for (const CommandEntry& c : program.commands) all.push_back(c.name);
  return fmt::format("{}", fmt::join(all, between));
}

/// Choices of the positional argument, or nothing: files.
const OptionEntry* listed_positional(const CommandEntry& command) {
  const auto found = std::ranges::find_if(
      command.options, [](const OptionEntry& o) { return o.positional && !o.choices.empty(); });
  return found == command.options.end() ? nullptr : &*found;
}

// --- bash
// -----------------------------------------------------------------------------------------

/// The branches that answer for the values of `owner`'s options.
std::string bash_values(const CommandEntry& owner, std::string_view scope) {
  std::string out;
  for (const OptionEntry& o : owner.options) {
    if (o.positional || o.value.empty()) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : o.names) patterns.push_back(fmt::format("{}:{}", scope, name));
    out += fmt::format("    {})\n", fmt::join(patterns, " | "));
    out += o.choices.empty()
               ? "      mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
               : fmt::format("      mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n",
                             fmt::join(o.choices, " "));
    out += "      return ;;\n";
  }
  return out;
}

std::string bash(const CommandEntry& program) {
  std::string out = fmt::format(
      "# Completion of {0} for bash, made by `{0} completions bash`.\n"
      "_ckpt_check() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
      "  local command='' options='{1}' values='' word\n"
      "  # --name=value arrives as three words.\n"
      "  if [ \"$current\" = = ]; then\n"
      "    current=''\n"
      "  elif [ \"$previous\" = = ]; then\n"
      "    previous=${{COMP_WORDS[COMP_CWORD - 2]}}\n"
      "  fi\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    case $word in\n"
      "      {2}) command=$word; break ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  case \"$command:$previous\" in\n",
      program.name, names_of(program.options, " "), command_names(program, " | "));
  for (const CommandEntry& c : program.commands) out += bash_values(c, c.name);
  out += bash_values(program, "*");
  out += "  esac\n  case $command in\n";
  out += fmt::format("    '') values='{}' ;;\n", command_names(program, " "));
  for (const CommandEntry& c : program.commands) {
    const OptionEntry* listed = listed_positional(c);
    const std::string values =
        listed == nullptr ? "" : fmt::format(" values='{}'", fmt::join(listed->choices, " "));
    out += fmt::format("    {}) options+=' {}'{} ;;\n", c.name, names_of(c.options, " "), values);
  }
  return out +
         fmt::format(
             "  esac\n"
             "  if [[ $current == -* ]]; then\n"
             "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
             "  elif [ -n \"$values\" ]; then\n"
             "    mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")\n"
             "  fi\n"
             "  # A checkpoint may stand where a command stands.\n"
             "  if [[ $current != -* && ( -z $values || -z $command ) ]]; then\n"
             "    mapfile -t -O \"${{#COMPREPLY[@]}}\" COMPREPLY < <(compgen -f -- \"$current\")\n"
             "  fi\n"
             "}}\n"
             "complete -o filenames -F _ckpt_check {}\n",
             program.name);
}

// --- zsh
// ------------------------------------------------------------------------------------------

/// For a single-quoted word of zsh in which `special` characters take a backslash.
std::string quoted(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (special.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string zsh_action(const OptionEntry& o) {
  return o.choices.empty() ? "_files" : fmt::format("({})", fmt::join(o.choices, " "));
}

std::string zsh_specs(const std::vector<OptionEntry>& options, std::string_view indent) {
  std::string out;
  for (const OptionEntry& o : options) {
    if (o.positional) continue;
    for (const std::string& name : o.names) {
      const std::string_view equals = o.value.empty() ? "" : (name.starts_with("--") ? "=" : "+");
      const std::string value =
          o.value.empty() ? "" : fmt::format(":{}:{}", quoted(o.value, ":\\"), zsh_action(o));
      out += fmt::format("{}'*{}{}[{}]{}'\n", indent, name, equals, quoted(o.text, "[]\\"), value);
    }
  }
  return out;
}

std::string zsh(const CommandEntry& program) {
  std::string out = fmt::format(
      "#compdef {0}\n"
      "# Completion of {0} for zsh, made by `{0} completions zsh`.\n"
      "_ckpt_check() {{\n"
      "  local curcontext=$curcontext state line\n"
      "  typeset -A opt_args\n"
      "  local -a global commands\n"
      "  global=(\n{1}  )\n"
      "  commands=(\n",
      program.name, zsh_specs(program.options, "    "));
  for (const CommandEntry& c : program.commands) {
    out += fmt::format("    '{}:{}'\n", c.name, quoted(c.text, "\\"));
  }
  out +=
      "  )\n"
      "  _arguments -C $global '1: :->command' '*:: :->rest' && return\n"
      "  case $state in\n"
      "    command)\n"
      "      _describe -t commands command commands\n"
      "      _files\n"
      "      ;;\n"
      "    rest)\n"
      "      case $words[1] in\n";
  for (const CommandEntry& c : program.commands) {
    const OptionEntry* listed = listed_positional(c);
    const std::string rest = listed == nullptr ? "_files" : zsh_action(*listed);
    out += fmt::format("        {})\n          _arguments $global \\\n", c.name);
    std::string specs = zsh_specs(c.options, "            ");
    for (std::size_t at = 0; (at = specs.find("'\n", at)) != std::string::npos; at += 4) {
      specs.replace(at, 2, "' \\\n");
    }
    out += specs + fmt::format("            '*:argument:{}'\n          ;;\n", rest);
  }
  return out +
         "        *) _files ;;\n"
         "      esac\n"
         "      ;;\n"
         "  esac\n"
         "}\n"
         "_ckpt_check \"$@\"\n";
}

// --- fish
// -----------------------------------------------------------------------------------------

std::string fish_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return "'" + out + "'";
}

std::string fish_options(const CommandEntry& owner, std::string_view program,
                         std::string_view condition) {
  std::string out;
  for (const OptionEntry& o : owner.options) {
    if (o.positional) continue;
    out += fmt::format("complete -c {}{}", program, condition);
    for (const std::string& name : o.names) {
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (!o.choices.empty()) {
      out += fmt::format(" -x -a {}", fish_quoted(fmt::format("{}", fmt::join(o.choices, " "))));
    } else if (!o.value.empty()) {
      out += " -r -F";
    }
    out += fmt::format(" -d {}\n", fish_quoted(o.text));
  }
  return out;
}

std::string fish(const CommandEntry& program) {
  std::string out =
      fmt::format("# Completion of {0} for fish, made by `{0} completions fish`.\n", program.name);
  out += fish_options(program, program.name, "");
  for (const CommandEntry& c : program.commands) {
    out += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d {}\n", program.name,
                       c.name, fish_quoted(c.text));
  }
  for (const CommandEntry& c : program.commands) {
    const std::string condition = fmt::format(" -n '__fish_seen_subcommand_from {}'", c.name);
    out += fish_options(c, program.name, condition);
    if (const OptionEntry* listed = listed_positional(c)) {
      out += fmt::format("complete -c {}{} -f -a '{}'\n", program.name, condition,
                         fmt::join(listed->choices, " "));
    }
  }
  return out;
}

}  // namespace

std::string completions(const CommandEntry& program, std::string_view shell) {
  if (shell == "bash") return bash(program);
  if (shell == "zsh") return zsh(program);
  return shell == "fish" ? fish(program) : std::string{};
}

}  // namespace ckpt::cli
