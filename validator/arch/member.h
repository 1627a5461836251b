#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ckpt::arch {

/// The last part of a stored name: which tensor of its module it is.
enum class Member : std::uint8_t {
  weight,
  bias,
  qweight,
  qzeros,
  scales,
  g_idx,
  weight_packed,
  weight_scale,
  weight_shape,
  weight_zero_point,
  weight_scale_inv,
  weight_global_scale,
  weight_g_idx,
  weight_scale_2,
  weight_scale_second,
  input_scale,
  input_global_scale,
  input_zero_point,
};
inline constexpr std::size_t kMembers = static_cast<std::size_t>(Member::input_zero_point) + 1;

/// Empty when `suffix` is no member.
[[nodiscard]] std::optional<Member> member_of(std::string_view suffix);
[[nodiscard]] std::string_view member_name(Member member);  ///< `qweight`

}  // namespace ckpt::arch
