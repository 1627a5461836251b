#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "validator/base/progress.h"

namespace ckpt::cli {

enum class ProgressMode : std::uint8_t { automatic, bar, plain, json, none };

/// Progress on standard error: a one-line bar on a terminal, else a line per stage and at least one
/// a minute, or one JSON object per line. Erases itself before anything else is printed.
[[nodiscard]] std::unique_ptr<Progress> make_progress(ProgressMode mode);

}  // namespace ckpt::cli
