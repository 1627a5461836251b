#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "validator/base/text.h"
#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace cfg017 {

struct Field {
  std::string_view name;
  std::uint64_t content = 0;
  json::Member member;
};

std::vector<Field> fields(const json::Value& object) {
  std::vector<Field> out;
  object.each_member([&out](const json::Member& m) {
    out.push_back({m.name, digest(m.value), m});
  });
  std::ranges::sort(out, {}, &Field::name);
  return out;
}

void run(const RuleInput& in, const Emit& emit) {
  const auto& q = in.config->quant;
  if (!q || q->file != "config.json" || !in.quantization_config.document) return;
  const std::vector<Field> used = fields(q->block.value);
  const std::vector<Field> copy = fields(in.quantization_config.document->root());
  const auto differs = [](const Field& f, const std::vector<Field>& other) {
    const auto it = std::ranges::lower_bound(other, f.name, {}, &Field::name);
    return it == other.end() || it->name != f.name || it->content != f.content;
  };
  Draft draft;
  draft.count = 0;
  const auto note = [&draft](const Field& f, const std::string& file, const std::string& pointer) {
    if (draft.count++ == 0) {
      draft.subject = shown(f.name);
      draft.message =
          fmt::format("`{}` differs between config.json and its copy", shown(f.name, 40));
    }
    add_place(draft, at_json(file, json::pointer_append(pointer, shown(f.name)), f.member.key));
  };
  for (const Field& f : copy) {
    if (differs(f, used)) note(f, "quantization_config.json", "");
  }
  for (const Field& f : used) {
    const bool told = std::ranges::binary_search(copy, f.name, {}, &Field::name);
    if (!told && differs(f, copy)) note(f, "config.json", q->pointer);
  }
  if (draft.count == 0) return;
  draft.edits.push_back(replace_value("quantization_config.json",
                                      in.quantization_config.document->root(),
                                      std::string(q->block.value.raw())));
  draft.fix = "copy the block of config.json to quantization_config.json";
  emit(std::move(draft));
}

}  // namespace cfg017

extern const Rule kCFG017;
const Rule kCFG017{
    .code = "CFG017",
    .name = "quantization-configs-differ",
    .severity = results::Severity::info,
    .repairable = true,
    .what = "`quantization_config.json` says what the block in config.json says.",
    .why =
        "All three loaders read config.json and never look at the copy; people and tools do. A "
        "stale copy (overrides repaired in one file only) makes every later export and bug "
        "report wrong.",
    .bad = "\"bits\": 4 in config.json, \"bits\": 8 in quantization_config.json",
    .good = "the same content in both files",
    .fix = "copy the block of config.json to the file, or remove the file",
    .sources = "loaders 2.1, section 6, CFG011",
    .run = cfg017::run,
};

}  // namespace ckpt::rules
