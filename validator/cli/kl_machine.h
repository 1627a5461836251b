#pragma once

#include <cstdint>
#include <string>

#include "validator/base/result.h"

namespace ckpt::cli {

/// What --memory asks for; when empty, three quarters of what is free and never more than a control
/// group allows. Errors: usage.
[[nodiscard]] Result<std::uint64_t> memory_of(const std::string& asked);

/// Where runs are kept: `$XDG_STATE_HOME/ckpt-check/runs`; empty without a home.
[[nodiscard]] std::string state_folder();

}  // namespace ckpt::cli
