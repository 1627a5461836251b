#pragma once
// What `kl` keeps of its runs, and how it goes together with what a check finds here.

#include <string>

#include "validator/pipeline/opened.h"
#include "validator/results/results.h"

namespace ckpt::gui {

/// results.json of the newest run below `folder` that measured this repo as it is: files of the
/// same names and sizes, none written since. Only the newest runs are looked at; empty when none
/// of them fits, or there is no such folder.
[[nodiscard]] std::string newest_results(const std::string& folder,
                                         const pipeline::OpenedRepo& repo);

/// A check of the same checkpoint with the numbers, gates and findings of a run put in: each
/// finding once, the run's first, and the worse verdict of both.
[[nodiscard]] results::Results joined(results::Results checked, const results::Results& measured);

}  // namespace ckpt::gui
