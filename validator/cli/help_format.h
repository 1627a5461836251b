#pragma once

#include <CLI/CLI.hpp>

namespace ckpt::cli {

/// Help whose lines end at `kHelpWidth` columns.
class HelpFormat final : public CLI::Formatter {
 public:
  static constexpr std::size_t kHelpWidth = 100;

  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

}  // namespace ckpt::cli
