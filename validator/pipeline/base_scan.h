#pragma once
// `check --base`: every module of a checkpoint held against the same module of its base.

#include <stop_token>

#include "validator/base/progress.h"
#include "validator/base/thread_pool.h"
#include "validator/pipeline/opened.h"
#include "validator/rules/input.h"

namespace ckpt::pipeline {

struct BaseScanArgs {
  const OpenedRepo& candidate;
  const OpenedRepo& base;
  ThreadPool& pool;
  Progress& progress;
  std::stop_token stop;
};

/// Reads both, a few megabytes of one module per worker at a time. Modules that one side lacks or
/// stores in a format not decoded here, and experts when the two have different numbers of them
/// (prune-verify compares those), are left out; `left_out` says how many. Errors: unsupported (an
/// architecture without blueprint, or two that have no module in common); io; cancelled.
[[nodiscard]] Result<rules::BaseFacts> scan_base(const BaseScanArgs& args, std::uint64_t& left_out);

}  // namespace ckpt::pipeline
