#pragma once
// Values to colours: a sequential map, a diverging one, and reserved colours for what is no number.

#include <array>
#include <cstdint>

namespace ckpt::gui {

struct Rgba {
  std::uint8_t r = 0, g = 0, b = 0, a = 255;
  friend bool operator==(const Rgba&, const Rgba&) = default;
};

enum class ColorMap : std::uint8_t { automatic, viridis, diverging, gray };
enum class Scale : std::uint8_t { linear, log, symlog };

/// Colours that no map produces.
inline constexpr Rgba kNanColor{255, 0, 255};
inline constexpr Rgba kPlusInfColor{255, 140, 0};
inline constexpr Rgba kMinusInfColor{0, 255, 255};
inline constexpr Rgba kNotReadyColor{96, 96, 96};

/// How values become colours. The range is [-high, high] for signed data, else [low, high].
struct Coloring {
  ColorMap map = ColorMap::automatic;
  Scale scale = Scale::linear;
  bool is_signed = true;
  float low = 0;
  float high = 1;
};

/// Where a finite value stands between the two ends, 0 to 1; signed data has 0.5 at exactly zero.
[[nodiscard]] float position_of(float value, const Coloring& coloring);
[[nodiscard]] Rgba color_at(float position, const Coloring& coloring);
/// The colour of any value, NaN and infinities included.
[[nodiscard]] Rgba color_of(float value, const Coloring& coloring);

}  // namespace ckpt::gui
