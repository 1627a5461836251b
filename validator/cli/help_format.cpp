#include "validator/cli/help_format.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "reports/screen.h"

namespace ckpt::cli {
namespace {

// The base puts every line of a description into the second column.
class HelpFormat final : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override {
    return reports::wrap(Formatter::make_option_desc(option), 0, 0, kHelpWidth - column_width_);
  }

  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    CLI::detail::format_help(
        out, command->get_display_name(true),
        reports::wrap(command->get_description(), 0, 0, kHelpWidth - column_width_), column_width_);
    return out.str();
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_format() {
  return std::make_shared<HelpFormat>();
}

}  // namespace ckpt::cli
