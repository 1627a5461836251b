#pragma once

#include <cstddef>
#include <memory>

namespace CLI {
class FormatterBase;
}

namespace ckpt::cli {

inline constexpr std::size_t kHelpWidth = 100;

/// Writes help whose lines end at `kHelpWidth` columns.
[[nodiscard]] std::shared_ptr<CLI::FormatterBase> help_format();

}  // namespace ckpt::cli
