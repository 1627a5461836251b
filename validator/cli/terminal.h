#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "validator/base/result.h"

namespace ckpt::cli {

enum class ColorMode : std::uint8_t { automatic, always, never };

/// Whether `stream` (1 or 2) gets colour: --color, then NO_COLOR, then CLICOLOR_FORCE or
/// FORCE_COLOR, then whether it is a terminal other than a dumb one.
[[nodiscard]] bool use_color(ColorMode mode, int stream);

/// Columns of the terminal on standard output, between 60 and 100; 100 when it is none.
[[nodiscard]] std::size_t screen_width();

[[nodiscard]] bool is_terminal(int stream);

/// Writes all of `text` to standard output. A closed pipe ends quietly; anything else is an error.
[[nodiscard]] Result<void> write_stdout(std::string_view text);

/// One line on standard error, beginning with `ckpt-check: `.
void complain(std::string_view text);

/// From here on this process says nothing on standard error: another one speaks for it.
void hush();

/// Makes descriptors 0 to 2 exist, so that a message never lands in a file opened later.
void open_standard_streams();

}  // namespace ckpt::cli
