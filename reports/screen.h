#pragma once
// Colour, wrapping and small words for the text report.

#include <string>
#include <string_view>

#include "reports/reports.h"

namespace ckpt::reports {

enum class Paint : std::uint8_t { none, red, yellow, cyan, green, bold };

/// `text` in a colour when colour is on. Colour never carries meaning alone.
[[nodiscard]] std::string paint(Paint paint, std::string_view text, const TextOptions& options);

/// `text` broken at spaces to the screen's width; continuation lines begin with `indent` spaces.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t first_column, std::size_t indent,
                               std::size_t width);

/// The metrics part of the `kl` screen.
[[nodiscard]] std::string kl_text(const results::Results& results, const TextOptions& options);

/// The candidates of a run by mean KL, marked where two cannot be told apart; empty for one.
[[nodiscard]] std::string ranking_text(const results::Results& results, const TextOptions& options);

}  // namespace ckpt::reports
