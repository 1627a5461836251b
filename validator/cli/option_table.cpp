#include "validator/cli/option_table.h"

#include <CLI/CLI.hpp>

#include "reports/formats.h"
#include "validator/rules/rule.h"

namespace ckpt::cli {
namespace {

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

/// What a value may be: the parser's own list, or one of our registries.
std::vector<std::string> choices_of(const CLI::Option& option, std::string_view type) {
  const std::size_t open = type.find('{');
  const std::size_t close = type.rfind('}');
  if (open != std::string_view::npos && close != std::string_view::npos && close > open) {
    return split(type.substr(open + 1, close - open - 1));
  }
  std::vector<std::string> out;
  if (type.ends_with(":FORMAT")) {
    for (const reports::Format& f : reports::formats()) out.emplace_back(f.name);
  } else if (option.get_single_name() == "CODE") {
    for (const rules::Rule* r : rules::all_rules()) out.emplace_back(r->code);
  }
  return out;
}

/// `TEXT:FORMAT=PATH` is FORMAT=PATH, `TEXT:{a,b}` is TEXT, `UINT:INT in [0 - 9]` is UINT.
std::string value_name(std::string_view type) {
  const std::size_t colon = type.find(':');
  if (colon == std::string_view::npos) return std::string(type);
  const std::string_view note = type.substr(colon + 1);
  const bool is_name = note.find_first_of("{ ") == std::string_view::npos;
  return std::string(is_name ? note : type.substr(0, colon));
}

OptionEntry entry_of(const CLI::Option& option) {
  OptionEntry e;
  e.positional = option.get_positional();
  if (e.positional) {
    e.names.push_back(option.get_single_name());
  } else {
    for (const std::string& name : option.get_snames()) e.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) e.names.push_back("--" + name);
  }
  if (option.get_items_expected_max() > 0) {
    const std::string type = option.get_type_name();
    e.value = value_name(type);
    e.choices = choices_of(option, type);
  }
  e.repeats = option.get_items_expected_max() > 1;
  e.required = option.get_required();
  e.text = option.get_description();
  e.environment = option.get_envname();
  return e;
}

}  // namespace

CommandEntry option_table(const CLI::App& app) {
  CommandEntry out{app.get_name(), app.get_description(), app.get_footer(), {}, {}};
  for (const CLI::Option* option : app.get_options()) out.options.push_back(entry_of(*option));
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    out.commands.push_back(option_table(*command));
  }
  return out;
}

}  // namespace ckpt::cli
