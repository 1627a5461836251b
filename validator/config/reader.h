#pragma once
// The one checked way to read a field of a config document: range, type, place.

#include <string>
#include <string_view>
#include <vector>

#include "validator/config/model_config.h"

namespace ckpt::config {

/// Reads fields of one object; what is wrong becomes a Defect and the default is kept.
class Reader {
 public:
  Reader(std::string file, json::Value object, std::string pointer, std::vector<Defect>& defects)
      : file_(std::move(file)), object_(object), pointer_(std::move(pointer)), defects_(defects) {}

  /// Keeps `value` when the field is absent or null; a defect when it is not an integer in range.
  void integer(std::string_view name, std::int64_t lo, std::int64_t hi, std::int64_t& value) const;
  void number(std::string_view name, double lo, double hi, double& value) const;
  void boolean(std::string_view name, bool& value) const;
  void text(std::string_view name, std::string& value) const;

  void optional_integer(std::string_view name, std::int64_t lo, std::int64_t hi,
                        std::optional<std::int64_t>& value) const;
  void optional_boolean(std::string_view name, std::optional<bool>& value) const;

  [[nodiscard]] json::Value field(std::string_view name) const;
  [[nodiscard]] std::string pointer(std::string_view name) const;
  void defect(DefectKind kind, std::string_view name, json::Value place, std::string message) const;

 private:
  std::string file_;
  json::Value object_;
  std::string pointer_;
  std::vector<Defect>& defects_;
};

}  // namespace ckpt::config
