#pragma once

#include "validator/loaders/plan.h"

namespace ckpt::loaders {

/// What happens to one module when a plan meets what is stored.
enum class Outcome : std::uint8_t {
  as_meant,
  not_built,  ///< the loader has no such module (mtp)
  asks_packed_has_plain,
  asks_plain_has_packed,
  width_differs,  ///< bits in the config and on disk
  group_differs,
  raises,      ///< the loader stops while building it
  absent,      ///< nothing is stored
  unnameable,  ///< stored under a spelling this loader does not map
};

/// `as meant`, `asks for packed tensors, stored is .weight`, ...
[[nodiscard]] std::string_view outcome_text(Outcome outcome);

/// Compares one module's decision with its stored tensors.
[[nodiscard]] Outcome outcome_of(const LoadPlan& plan, const arch::Blueprint& blueprint,
                                 std::uint32_t module, const quant::Stored& stored);

/// Groups that `group_size` (-1: per channel) cuts `inputs` into.
[[nodiscard]] std::uint64_t group_count(std::int64_t group_size, std::uint64_t inputs);

/// 32-bit words that hold `codes` codes of `bits` bits each, without gaps.
[[nodiscard]] std::uint64_t word_count(std::uint64_t codes, std::int64_t bits);

/// True when `loader` maps this expert spelling for plain or packed tensors.
[[nodiscard]] bool spelling_loads(Loader loader, arch::Spelling spelling, bool packed);

}  // namespace ckpt::loaders
