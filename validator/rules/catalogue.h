#pragma once

#include <string>

namespace ckpt::rules {

/// The whole catalogue as one Markdown page: docs/rules.md.
[[nodiscard]] std::string catalogue_markdown();

}  // namespace ckpt::rules
