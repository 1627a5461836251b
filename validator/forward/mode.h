#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/ops.h"

namespace ckpt::forward {

/// fp32: weights upcast, nothing rounded (the mode of the goldens). bf16 and fp16: activations are
/// rounded at every point of the architecture's section 3.9.
enum class Mode : std::uint8_t { fp32, bf16, fp16 };

[[nodiscard]] constexpr std::string_view mode_name(Mode mode) {
  return mode == Mode::fp32 ? "fp32" : mode == Mode::bf16 ? "bf16" : "fp16";
}

[[nodiscard]] constexpr kernels::Rounding rounding_of(Mode mode) {
  return mode == Mode::fp32   ? kernels::Rounding::none
         : mode == Mode::bf16 ? kernels::Rounding::bf16
                              : kernels::Rounding::f16;
}

/// A stream of hidden states carried through the layers.
enum class Stream : std::uint8_t { reference, candidate };

}  // namespace ckpt::forward
