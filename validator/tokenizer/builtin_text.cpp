#include "validator/tokenizer/builtin_text.h"

#include <cstddef>

namespace ckpt::tokenizer {

// Defined by the source that embed_text.cmake writes.
extern const char kMixedV1[];
extern const std::size_t kMixedV1Size;

namespace {

constexpr std::string_view kMixedV1Name = "mixed-v1";

}  // namespace

std::string_view builtin_text(std::string_view name) {
  if (name != kMixedV1Name) return {};
  return {kMixedV1, kMixedV1Size};
}

std::vector<std::string> builtin_text_names() {
  return {std::string(kMixedV1Name)};
}

}  // namespace ckpt::tokenizer
