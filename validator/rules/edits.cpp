#include "validator/rules/edits.h"

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

/// Inserts `items` into a container whose children begin at `first` and end at `last`; the white
/// space before the first child stands before each new one.
results::Edit insert(const std::string& file, const json::Value& container, std::uint64_t first,
                     std::uint64_t last, const std::vector<std::string>& items) {
  const std::string_view text = container.document()->text();
  std::string space;
  if (container.size() > 0) {
    space = std::string(text.substr(container.offset() + 1, first - container.offset() - 1));
  } else {
    last = container.offset() + 1;
  }
  std::string out;
  bool comma = container.size() > 0;
  for (const std::string& item : items) {
    if (comma) out += ',';
    if (comma && space.empty()) out += ' ';
    out += space;
    out += item;
    comma = true;
  }
  return {file, last, last, out};
}

}  // namespace

results::Edit replace_value(const std::string& file, const json::Value& value, std::string text) {
  return {file, value.offset(), value.end_offset(), std::move(text)};
}

results::Edit add_members(const std::string& file, const json::Value& object,
                          const std::vector<NewMember>& members) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  object.each_member([&](const json::Member& m) {
    if (first == 0) first = m.key.offset();
    last = m.value.end_offset();
  });
  std::vector<std::string> items;
  for (const auto& [name, text] : members) items.push_back(json::quoted(name) + ": " + text);
  return insert(file, object, first, last, items);
}

results::Edit add_elements(const std::string& file, const json::Value& array,
                           const std::vector<std::string>& elements) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  array.each([&](const json::Value& v) {
    if (first == 0) first = v.offset();
    last = v.end_offset();
  });
  return insert(file, array, first, last, elements);
}

results::Edit set_member(const std::string& file, const json::Value& object,
                         const std::string& name, const std::string& text) {
  const json::Value old = object.find(name);
  return old ? replace_value(file, old, text) : add_members(file, object, {{name, text}});
}

results::Edit copy_from_base(const std::string& file) {
  results::Edit e;
  e.file = file;
  e.from_base = true;
  return e;
}

}  // namespace ckpt::rules
