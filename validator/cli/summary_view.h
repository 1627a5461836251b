#pragma once
// What is in a checkpoint, at a glance: from config and headers.

#include <string>

#include "validator/pipeline/opened.h"

namespace ckpt::cli {

/// JSON text: tensors, bytes and dtypes per class of module; files; what has no place in the
/// architecture.
[[nodiscard]] std::string summary_json(const pipeline::OpenedRepo& opened);

/// The same for the screen, below the identity block.
[[nodiscard]] std::string summary_text(const pipeline::OpenedRepo& opened);

}  // namespace ckpt::cli
