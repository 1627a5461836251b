#include "validator/images/resize.h"

#include <algorithm>
#include <cmath>

#include "validator/images/decoders.h"

namespace ckpt::images {

namespace {

constexpr double kSupport = 2;  // of the kernel on each side, in source pixels of the larger grid

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// Which source pixels make an output pixel, and how much each counts.
struct Window {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

/// The windows of an axis, and the bits by which sums of their products are shifted.
struct Axis {
  std::vector<Window> windows;
  unsigned precision = 0;
};

Axis axis_of(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = kSupport * stretch;
  Axis axis;
  std::vector<std::vector<double>> all;
  double largest = 0;
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto last = std::min(static_cast<std::int64_t>(center + support + 0.5), from);
    std::vector<double> weights;
    double total = 0;
    for (std::int64_t j = first; j < last; ++j) {
      weights.push_back(cubic((static_cast<double>(j) - center + 0.5) / stretch));
      total += weights.back();
    }
    for (double& w : weights) {
      if (total != 0) w /= total;
      largest = std::max(largest, w);
    }
    axis.windows.push_back({first, {}});
    all.push_back(std::move(weights));
  }
  // As many bits as keep every weight below 2^15.
  while (axis.precision < 22 &&
         static_cast<std::int64_t>(0.5 + largest * std::exp2(axis.precision + 1)) < (1 << 15)) {
    ++axis.precision;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const double w : all[i]) {
      const double scaled = w * std::exp2(axis.precision);
      axis.windows[i].weights.push_back(
          static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return axis;
}

/// One output pixel from pixels that lie `step` bytes apart.
void gather(const Axis& axis, const Window& window, const std::uint8_t* from, std::int64_t step,
            std::uint8_t* to) {
  for (int c = 0; c < 3; ++c) {
    std::int32_t sum = 1 << (axis.precision - 1);
    const std::uint8_t* at = from + c;
    for (const std::int32_t w : window.weights) {
      sum += w * *at;
      at += step;
    }
    to[c] = static_cast<std::uint8_t>(std::clamp(sum >> axis.precision, 0, 255));
  }
}

}  // namespace

Result<Picture> resized(const Picture& picture, std::int64_t width, std::int64_t height) {
  Picture wide = picture;
  if (width != picture.width) {
    CKPT_TRY(
        wide,
        make_picture(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(picture.height)),
        "resize");
    const Axis axis = axis_of(picture.width, width);
    for (std::int64_t y = 0; y < wide.height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const Window& window = axis.windows[static_cast<std::size_t>(x)];
        gather(axis, window, picture.at(window.first, y), 3, wide.at(x, y));
      }
    }
  }
  if (height == picture.height) return wide;
  CKPT_TRY(Picture out,
           make_picture(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height)),
           "resize");
  const Axis axis = axis_of(picture.height, height);
  for (std::int64_t y = 0; y < height; ++y) {
    const Window& window = axis.windows[static_cast<std::size_t>(y)];
    for (std::int64_t x = 0; x < width; ++x) {
      gather(axis, window, wide.at(x, window.first), 3 * width, out.at(x, y));
    }
  }
  return out;
}

}  // namespace ckpt::images
