#pragma once

#include <array>
#include <cstdint>

namespace ckpt {

/// matplotlib 3's viridis (CC0) at nine even steps, red, green, blue: it stays ordered in grey and
/// for colour-blind eyes.
inline constexpr std::array<std::array<std::uint8_t, 3>, 9> kViridis{{{68, 1, 84},
                                                                      {71, 44, 122},
                                                                      {59, 81, 139},
                                                                      {44, 113, 142},
                                                                      {33, 144, 141},
                                                                      {39, 173, 129},
                                                                      {92, 200, 99},
                                                                      {170, 220, 50},
                                                                      {253, 231, 37}}};

}  // namespace ckpt
