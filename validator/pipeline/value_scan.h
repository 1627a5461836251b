#pragma once

#include <stop_token>

#include "validator/base/progress.h"
#include "validator/base/thread_pool.h"
#include "validator/loaders/load_report.h"
#include "validator/pipeline/opened.h"
#include "validator/rules/input.h"

namespace ckpt::pipeline {

/// Reads every value that can be wrong by itself: floats (scales included), packed words and zero
/// points, g_idx, stored shapes. One chunk of a tensor is in memory per thread, one fact per tensor
/// is kept. Errors: io, cancelled.
[[nodiscard]] Result<rules::ValueFacts> scan_values(const OpenedRepo& opened, ThreadPool& pool,
                                                    Progress& progress, std::stop_token stop);

/// What the values mean to a load. Reads a part of each tensor of stored zero points.
[[nodiscard]] loaders::LoadValues load_values(const OpenedRepo& opened,
                                              const rules::ValueFacts& values);

/// Bytes scan_values would read.
[[nodiscard]] std::uint64_t scan_bytes(const OpenedRepo& opened);

}  // namespace ckpt::pipeline
