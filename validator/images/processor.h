#pragma once
// What the model's image processor does to a picture (transformers 5.23, Qwen2VLImageProcessor).

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "validator/base/result.h"
#include "validator/config/model_config.h"
#include "validator/images/picture.h"
#include "validator/repo/repo.h"

namespace ckpt::images {

/// Fields of preprocessor_config.json; defaults of the class.
struct ProcessorConfig {
  std::int64_t min_pixels = 56 * 56;         ///< size.shortest_edge
  std::int64_t max_pixels = 28 * 28 * 1280;  ///< size.longest_edge
  std::int64_t patch_size = 14;
  std::int64_t temporal_patch_size = 2;
  std::int64_t merge_size = 2;
  bool do_resize = true;
  bool do_rescale = true;
  bool do_normalize = true;
  double rescale_factor = 1.0 / 255;
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std{0.26862954, 0.26130258, 0.27577711};
};

/// Reads processor_config.json's `image_processor`, else preprocessor_config.json. Errors:
/// not_found, format (a field of the wrong kind; patches unlike those of `vision`), unsupported
/// (another resampling or processor).
[[nodiscard]] Result<ProcessorConfig> read_processor(const repo::Repo& repo,
                                                     const config::VisionConfig& vision);

/// Height and width after resizing: multiples of `factor` with a product between the bounds of
/// pixels and about the same ratio. Errors: format (a ratio above 200), limit (beyond
/// limits::kImagePixels).
[[nodiscard]] Result<std::pair<std::int64_t, std::int64_t>> smart_resize(
    std::int64_t height, std::int64_t width, std::int64_t factor, const ProcessorConfig& config);

/// A picture cut to the tower's grid; small, because its patches are made when they are asked for.
class Prepared {
 public:
  /// Errors: those of smart_resize and of resized().
  [[nodiscard]] static Result<Prepared> make(const Picture& picture, const ProcessorConfig& config);

  /// Patches down and across.
  [[nodiscard]] std::int64_t grid_height() const { return picture_.height / config_.patch_size; }

  [[nodiscard]] std::int64_t grid_width() const { return picture_.width / config_.patch_size; }

  /// Normalised pixels [grid_height * grid_width, 3 * temporal * patch * patch]: merged block by
  /// merged block, in a row channel, frame (the picture repeats), y, x.
  [[nodiscard]] std::vector<float> patches() const;

 private:
  Prepared(Picture picture, const ProcessorConfig& config)
      : picture_(std::move(picture)), config_(config) {}

  Picture picture_;
  ProcessorConfig config_;
};

}  // namespace ckpt::images
