#pragma once

#include <stop_token>

#include "validator/base/progress.h"
#include "validator/base/thread_pool.h"
#include "validator/pipeline/opened.h"
#include "validator/rules/input.h"

namespace ckpt::pipeline {

/// Reads the values that can be wrong by themselves: every float tensor (scales included) and every
/// g_idx; packed words cannot be NaN. Errors: io, cancelled.
[[nodiscard]] Result<rules::ValueFacts> scan_values(const OpenedRepo& opened, ThreadPool& pool,
                                                    Progress& progress, std::stop_token stop);

/// Bytes scan_values would read.
[[nodiscard]] std::uint64_t scan_bytes(const OpenedRepo& opened);

}  // namespace ckpt::pipeline
