#pragma once
// The block of a model card, and how it gets into one.

#include <string>
#include <string_view>

#include "validator/base/result.h"
#include "validator/results/results.h"

namespace ckpt::reports {

/// `card` with our block replaced, or added at its end; every other byte stays. Errors: format (a
/// begin without an end, or more than one block).
[[nodiscard]] Result<std::string> update_card(std::string_view card, std::string_view block);

/// `card` with our entry of `model-index` replaced or added; the front matter is made when there is
/// none. Errors: format (front matter that does not end, or a model-index that is no list of
/// lines), not_found (no kl metrics).
[[nodiscard]] Result<std::string> update_front_matter(std::string_view card,
                                                      const results::Results& results);

}  // namespace ckpt::reports
