#include "validator/config/reader.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::config {

json::Value Reader::field(std::string_view name) const {
  const json::Value v = object_.find(name);
  return v.is(json::Kind::null) ? json::Value{} : v;
}

std::string Reader::pointer(std::string_view name) const {
  return json::pointer_append(pointer_, name);
}

void Reader::defect(DefectKind kind, std::string_view name, json::Value place,
                    std::string message) const {
  defects_.push_back({kind, file_, pointer(name), place, std::move(message)});
}

void Reader::integer(std::string_view name, std::int64_t lo, std::int64_t hi,
                     std::int64_t& value) const {
  const json::Value v = field(name);
  if (!v) return;
  const auto i = v.integer();
  if (!i) {
    defect(DefectKind::wrong_type, name, v,
           fmt::format("`{}` is {}, it must be a whole number from {} to {}", shown(name),
                       shown(v.raw(), 60), lo, hi));
  } else if (*i < lo || *i > hi) {
    defect(DefectKind::out_of_range, name, v,
           fmt::format("`{}` is {}, outside {} ... {}", shown(name), *i, lo, hi));
  } else {
    value = *i;
  }
}

void Reader::optional_integer(std::string_view name, std::int64_t lo, std::int64_t hi,
                              std::optional<std::int64_t>& value) const {
  if (!field(name)) return;
  std::int64_t read = lo - 1;
  integer(name, lo, hi, read);
  if (read >= lo) value = read;
}

void Reader::number(std::string_view name, double lo, double hi, double& value) const {
  const json::Value v = field(name);
  if (!v) return;
  const auto d = v.number();
  if (!d) {
    defect(DefectKind::wrong_type, name, v,
           fmt::format("`{}` is {}, it must be a number", shown(name), shown(v.raw(), 60)));
  } else if (!(*d >= lo && *d <= hi)) {
    defect(
        DefectKind::out_of_range, name, v,
        fmt::format("`{}` is {}, outside {:g} ... {:g}", shown(name), shown(v.raw(), 60), lo, hi));
  } else {
    value = *d;
  }
}

void Reader::boolean(std::string_view name, bool& value) const {
  const json::Value v = field(name);
  if (!v) return;
  if (const auto b = v.boolean()) {
    value = *b;
  } else {
    defect(DefectKind::wrong_type, name, v,
           fmt::format("`{}` is {}, it must be true or false", shown(name), shown(v.raw(), 60)));
  }
}

void Reader::optional_boolean(std::string_view name, std::optional<bool>& value) const {
  if (!field(name)) return;
  bool read = false;
  const std::size_t before = defects_.size();
  boolean(name, read);
  if (defects_.size() == before) value = read;
}

void Reader::text(std::string_view name, std::string& value) const {
  const json::Value v = field(name);
  if (!v) return;
  if (const auto s = v.string()) {
    value = std::string(*s);
  } else {
    defect(DefectKind::wrong_type, name, v,
           fmt::format("`{}` is {}, it must be a string", shown(name), shown(v.raw(), 60)));
  }
}

}  // namespace ckpt::config
