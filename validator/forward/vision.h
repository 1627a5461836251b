#pragma once
// The vision tower (architecture, section 4): patches of images become rows of the text stream.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/ops.h"
#include "validator/config/model_config.h"
#include "validator/forward/mode.h"
#include "validator/forward/modules.h"
#include "validator/forward/rope.h"

namespace ckpt::forward {

/// An image between the tokens. Its rows stand at consecutive tokens of one sequence.
struct Image {
  std::size_t sequence = 0;
  std::int64_t position = 0;  ///< of its first token within the sequence
  std::int64_t height = 0;    ///< in patches, a multiple of the merge size
  std::int64_t width = 0;
  /// Normalised pixels [height * width, channels * frames * patch * patch], patches in the order of
  /// the merged blocks. Called when they are needed, since they are large.
  std::function<std::vector<float>()> patches;

  [[nodiscard]] std::int64_t tokens(const config::VisionConfig& vision) const {
    return height * width / (vision.spatial_merge_size * vision.spatial_merge_size);
  }
};

/// Whether the tower of a config is computed here. Errors: unsupported, format; each names why.
[[nodiscard]] Result<void> check_vision(const config::VisionConfig& vision);

/// Places of the tokens of one sequence: text counts on, an image spreads over rows and columns
/// from where it begins, and what follows it goes on after its longer side. `images` are those of
/// the sequence, in order.
[[nodiscard]] std::vector<Place3> places_of(std::int64_t tokens, std::span<const Image> images,
                                            const config::VisionConfig& vision);

struct VisionArgs {
  Pair pair;
  const config::VisionConfig& vision;
  kernels::Ops& ops;  ///< any that has the tower's ops
  Mode mode = Mode::fp32;
  kernels::Rounding weight_rounding = kernels::Rounding::none;  ///< of decoded codes
  std::stop_token stop;
};

/// Rows for the text stream, [tokens of all images, H] of each side, in f32.
struct VisionRows {
  std::vector<float> reference;
  std::vector<float> candidate;
};

/// Both towers over the images, block by block; the candidate is computed for itself from the first
/// module on that differs. Errors: those of check_vision and of the weights, memory, cancelled,
/// internal (patches of another size).
[[nodiscard]] Result<VisionRows> run_vision(const VisionArgs& args, std::span<const Image> images);

/// Bytes of activations per token of an image in run_vision, patches included.
[[nodiscard]] std::uint64_t vision_token_bytes(const config::VisionConfig& vision);

}  // namespace ckpt::forward
