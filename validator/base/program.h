#pragma once

#include <string>
#include <string_view>

namespace ckpt {

/// Path of a library of ours that stands beside the running program or in ../lib/ckpt-check; empty
/// when there is none. No other place is tried: a path that others can set must not decide which
/// code runs here.
[[nodiscard]] std::string beside_program(std::string_view library);

}  // namespace ckpt
