#pragma once
// Prompts of text and images, from a file of JSON lines.

#include <string>
#include <vector>

#include "validator/forward/vision.h"
#include "validator/pipeline/tokens.h"

namespace ckpt::pipeline {

/// Sequences of tokens, one per prompt, and the images between them in order.
struct PromptSet {
  TokenSet tokens;  ///< its sha256 covers the file and every image
  std::vector<forward::Image> images;
};

/// Reads a file with one prompt a line: `{"content": [{"text": "..."}, {"image": "a.png"}]}`, or
/// `{"images": ["a.png"], "text": "..."}`, which is the same with the images first. A part
/// `{"ids": [1, 2]}` is taken as it is. Text is tokenized with the reference's tokenizer; an image
/// becomes the start token, one image token per row of the vision tower, and the end token, as the
/// model's processor does it. Names are relative to the file. `tokens`: whole prompts until there
/// are that many; 0: all. Errors: usage (no prompts; a reference without a vision tower), format
/// (with the line), and those of the tokenizer and of images/.
[[nodiscard]] Result<PromptSet> read_prompts(const std::string& path, std::uint64_t tokens,
                                             const OpenedRepo& reference);

/// The images of sequences [first, last), counted from `first`.
[[nodiscard]] std::vector<forward::Image> images_of(const std::vector<forward::Image>& images,
                                                    std::size_t first, std::size_t last);

}  // namespace ckpt::pipeline
