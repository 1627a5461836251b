#pragma once
// Devices that a checkpoint may be meant for, by name: what their compute capability allows.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validator/config/quant_config.h"
#include "validator/quant/stored.h"

namespace ckpt::loaders {

/// Compute capability as ten times major plus minor: 75 is 7.5. None is below kNoGpu + 1.
inline constexpr int kNoGpu = 0;

/// A device to serve on.
struct Gpu {
  std::string name;                ///< as the user may write it: `rtx4090`, `sm_89`, `cpu`
  int capability = kNoGpu;         ///< 89 is 8.9; kNoGpu: a machine without one
  std::uint64_t memory_bytes = 0;  ///< 0 when the name leaves it open (`sm_80`)
};

/// The device of this name; case, spaces, `-` and `_` do not matter, nor a leading `nvidia` or
/// `geforce`. `sm_NN` is any device of that capability, with its letters (`sm_90a`) ignored.
[[nodiscard]] std::optional<Gpu> find_gpu(std::string_view name);

/// The names of the table, for messages and completion.
[[nodiscard]] std::vector<std::string> gpu_names();

/// `8.9`.
[[nodiscard]] std::string capability_text(int capability);

/// What a stored format needs of a device in vLLM 0.33.
struct FormatNeeds {
  int least = kNoGpu;   ///< below it the engine refuses the checkpoint
  int native = kNoGpu;  ///< from it on the fast kernel; between the two a slower one
};

/// The needs of one stored format under one method; nothing for what needs no kernel of its own.
[[nodiscard]] FormatNeeds needs_of(quant::Format format, config::QuantMethod method);

/// BF16 arithmetic exists from here on; below it `auto` means float16.
inline constexpr int kBfloat16Capability = 80;

}  // namespace ckpt::loaders
