// JSON: the reader ends, its places lie inside the text, and it agrees with the slow scanner.

#include "tests/fuzz/input.h"
#include "validator/base/json.h"
#include "validator/base/json_flaw.h"

using namespace ckpt;

namespace {

void walk(const json::Value& value, const std::string& text) {
  fuzz::must(value.offset() < value.end_offset() && value.end_offset() <= text.size());
  switch (value.kind()) {
    case json::Kind::number:
      fuzz::must(value.number().has_value());
      if (value.integer() && *value.integer() >= 0)
        fuzz::must(value.unsigned_integer().has_value());
      break;
    case json::Kind::string:
      fuzz::must(value.string().has_value());
      break;
    case json::Kind::array: {
      std::size_t n = 0;
      value.each([&](const json::Value& v) {
        walk(v, text);
        ++n;
      });
      fuzz::must(n == value.size());
      break;
    }
    case json::Kind::object: {
      std::size_t n = 0;
      value.each_member([&](const json::Member& m) {
        walk(m.key, text);
        walk(m.value, text);
        ++n;
      });
      fuzz::must(n == value.size());
      break;
    }
    default:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_of(data, size);
  const auto document = json::parse(text);
  const auto flaw = json::find_flaw(text);
  if (!document) {
    fuzz::must(document.error().message.find("byte ") == 0);
    const bool other = document.error().message.find("UTF-8") != std::string::npos;
    fuzz::must(other || flaw.has_value());
    if (flaw) fuzz::must(flaw->offset <= text.size());
    return 0;
  }
  fuzz::must(!flaw.has_value());
  walk((*document)->root(), text);
  std::uint64_t before = 0;
  for (const json::Duplicate& d : (*document)->duplicates()) {
    fuzz::must(d.first_offset < d.offset && d.offset >= before && d.offset < text.size());
    before = d.offset;
  }
  const json::Position end = (*document)->position(text.size());
  (void)(*document)->line(end.line);
  return 0;
}
