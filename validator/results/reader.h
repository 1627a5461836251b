#pragma once

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validator/base/json.h"
#include "validator/base/text.h"

namespace ckpt::results {

/// Reads members of one object. The first value of a wrong kind is kept as the error of the whole
/// document; after it everything reads as absent. What is absent or null leaves its target alone.
class Reader {
 public:
  Reader(json::Value object, std::string* error) : object_(object), error_(error) {
    if (object && !object.is(json::Kind::object) && !object.is(json::Kind::null)) {
      complain(object, "an object");
    }
  }

  [[nodiscard]] Reader at(std::string_view key) const { return {find(key), error_}; }

  /// Text that passed shown() when it was written.
  void get(std::string_view key, std::string& out) const {
    if (const json::Value v = find(key)) take(v, out);
  }

  /// Text of a file, which whoever shows it escapes.
  void get_raw(std::string_view key, std::string& out) const {
    const json::Value v = find(key);
    if (v && expect(v, json::Kind::string, "a string")) out = std::string(*v.string());
  }

  /// Text of several lines, each of which passed shown().
  void get_lines(std::string_view key, std::string& out) const {
    std::string text;
    get_raw(key, text);
    out.clear();
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      out += shown_again(std::string_view(text).substr(begin, end - begin));
      if (end == std::string::npos) break;
      out += '\n';
      begin = end + 1;
    }
  }

  void get(std::string_view key, bool& out) const {
    const json::Value v = find(key);
    if (v && expect(v, json::Kind::boolean, "true or false")) out = *v.boolean();
  }

  void get(std::string_view key, double& out) const {
    if (const json::Value v = find(key)) take(v, out);
  }

  void get(std::string_view key, std::optional<double>& out) const {
    if (const json::Value v = find(key)) take(v, out.emplace());
  }

  void get(std::string_view key, std::uint64_t& out) const {
    if (const json::Value v = find(key)) take(v, out);
  }

  void get(std::string_view key, std::uint32_t& out) const { get_within(key, out); }

  void get(std::string_view key, int& out) const { get_within(key, out); }

  void get(std::string_view key, std::int64_t& out) const { get_within(key, out); }

  void get(std::string_view key, std::optional<std::uint64_t>& out) const {
    if (const json::Value v = find(key)) take(v, out.emplace());
  }

  void get(std::string_view key, std::array<double, 2>& out) const {
    std::vector<double> values;
    get(key, values);
    if (values.size() == 2) out = {values[0], values[1]};
  }

  template <class T>
  void get(std::string_view key, std::vector<T>& out) const {
    each_value(key, [&](json::Value v) { take(v, out.emplace_back()); });
  }

  void get(std::string_view key, std::map<std::string, double>& out) const {
    const json::Value v = find(key);
    if (!v || !expect(v, json::Kind::object, "an object")) return;
    v.each_member([&](const json::Member& m) { take(m.value, out[shown_again(m.name)]); });
  }

  template <class Enum>
  void get(std::string_view key, Enum& out,
           std::optional<Enum> (*named)(std::string_view name)) const {
    std::string name;
    get(key, name);
    if (name.empty()) return;
    if (const auto value = named(name)) {
      out = *value;
    } else {
      complain(find(key), fmt::format("a known {}", key));
    }
  }

  /// Calls `read(Reader, T&)` for each element of an array of objects.
  template <class T>
  void list(std::string_view key, std::vector<T>& out, void (*read)(const Reader&, T&)) const {
    each_value(key, [&](json::Value v) { read(Reader(v, error_), out.emplace_back()); });
  }

  /// Calls `read(Reader, T&)` when the object is there.
  template <class T>
  void optional(std::string_view key, std::optional<T>& out,
                void (*read)(const Reader&, T&)) const {
    if (const json::Value v = find(key)) read(Reader(v, error_), out.emplace());
  }

 private:
  json::Value object_;
  std::string* error_;

  /// Absent when it is null, too, and after an error.
  [[nodiscard]] json::Value find(std::string_view key) const {
    const json::Value v = error_->empty() ? object_.find(key) : json::Value();
    return v && !v.is(json::Kind::null) ? v : json::Value();
  }

  void complain(json::Value v, std::string_view wanted) const {
    if (!error_->empty()) return;
    const json::Position p = v.position();
    *error_ = fmt::format("line {} column {}: {} where {} belongs", p.line, p.column,
                          json::kind_name(v.kind()), wanted);
  }

  [[nodiscard]] bool expect(json::Value v, json::Kind kind, std::string_view wanted) const {
    if (!v.is(kind)) complain(v, wanted);
    return v.is(kind);
  }

  template <class Visit>
  void each_value(std::string_view key, Visit&& visit) const {
    const json::Value v = find(key);
    if (v && expect(v, json::Kind::array, "an array")) v.each(visit);
  }

  void take(json::Value v, std::string& out) const {
    if (expect(v, json::Kind::string, "a string")) out = shown_again(*v.string());
  }

  void take(json::Value v, std::uint64_t& out) const {
    const auto n = v.unsigned_integer();
    if (!n) return complain(v, "a count");
    out = *n;
  }

  void take(json::Value v, double& out) const {
    const auto word = v.string();
    if (word == "NaN") {
      out = std::nan("");
    } else if (word == "Infinity" || word == "-Infinity") {
      out = word == "Infinity" ? HUGE_VAL : -HUGE_VAL;
    } else if (const auto n = v.number()) {
      out = *n;
    } else {
      complain(v, "a number");
    }
  }

  template <class Integer>
  void get_within(std::string_view key, Integer& out) const {
    const json::Value v = find(key);
    if (!v) return;
    const auto n = v.integer();
    if (!n || !std::in_range<Integer>(*n)) return complain(v, "an integer in range");
    out = static_cast<Integer>(*n);
  }
};

}  // namespace ckpt::results
