#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "validator/metrics/record.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

/// What a position is, in a run with images. The KL at a position is that of the prediction made
/// after it.
enum class Kind : std::uint8_t { text, image, text_after_image };

/// KL by the kind of position, those kinds that occur; `kinds` has one per position of the record.
/// What is not finite is left out of the means.
[[nodiscard]] std::vector<results::Modality> by_modality(const Record& record,
                                                         std::span<const Kind> kinds);

}  // namespace ckpt::metrics
