#include "validator/cli/help_format.h"

#include <sstream>

#include "reports/screen.h"

namespace ckpt::cli {

// The formatter puts every line of a description into the second column.

std::string HelpFormat::make_option_desc(const CLI::Option* option) const {
  return reports::wrap(Formatter::make_option_desc(option), 0, 0, kHelpWidth - column_width_);
}

std::string HelpFormat::make_subcommand(const CLI::App* command) const {
  std::ostringstream out;
  CLI::detail::format_help(
      out, command->get_display_name(true),
      reports::wrap(command->get_description(), 0, 0, kHelpWidth - column_width_), column_width_);
  return out.str();
}

}  // namespace ckpt::cli
