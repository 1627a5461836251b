#pragma once

#include "validator/base/result.h"
#include "validator/images/picture.h"

namespace ckpt::images {

/// The picture in another size: bicubic (a = -0.5) over an area that grows with the reduction,
/// columns first, then rows, each rounded to 8 bits; weights are integers of up to 15 bits. To the
/// bit what torch 2.15 computes for 8-bit pictures (ATen UpSampleKernel.cpp, antialias), which the
/// model's image processor calls. Sizes must be positive. Errors: as make_picture.
[[nodiscard]] Result<Picture> resized(const Picture& picture, std::int64_t width,
                                      std::int64_t height);

}  // namespace ckpt::images
