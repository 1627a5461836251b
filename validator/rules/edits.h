#pragma once
// Repairs of JSON files as byte ranges, so that everything around them stays as it was written.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validator/base/json.h"
#include "validator/results/results.h"

namespace ckpt::rules {

/// The value becomes `text`, which is JSON.
[[nodiscard]] results::Edit replace_value(const std::string& file, const json::Value& value,
                                          std::string text);

/// Name and JSON text of a new member.
using NewMember = std::pair<std::string, std::string>;

/// Adds members after the last one of `object`, in its layout. A member that is there already must
/// not be among them.
[[nodiscard]] results::Edit add_members(const std::string& file, const json::Value& object,
                                        const std::vector<NewMember>& members);

/// Adds elements (JSON texts) after the last one of `array`, in its layout.
[[nodiscard]] results::Edit add_elements(const std::string& file, const json::Value& array,
                                         const std::vector<std::string>& elements);

/// The member `name` of `object` gets the value `text`, whether it is there or not.
[[nodiscard]] results::Edit set_member(const std::string& file, const json::Value& object,
                                       const std::string& name, const std::string& text);

/// The file is to be copied from the base model.
[[nodiscard]] results::Edit copy_from_base(const std::string& file);

}  // namespace ckpt::rules
