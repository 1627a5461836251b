#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  // Layers are what such lists count; a list of other blocks ends in no digit.
  const auto layers = static_cast<std::size_t>(in.config->text.num_hidden_layers);
  const std::string stem = in.blueprint->text_prefix() + "layers.";
  const auto listed = [&q](const std::string& name) {
    return std::ranges::any_of(q.blocks, [&](const config::Pattern& b) {
      return b.text == name || name.starts_with(b.text + ".") ||
             (!b.text.empty() && !std::isdigit(static_cast<unsigned char>(b.text.back())) &&
              name.starts_with(b.text));
    });
  };
  if (q.blocks.size() > 2 * layers + 16) return;  // no list of blocks is longer
  for (const config::Pattern& b : q.blocks) {
    if (!b.text.starts_with(stem) || !std::isdigit(static_cast<unsigned char>(b.text.back())))
      continue;
    std::size_t taken = 0;
    std::string first;
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string name = stem + std::to_string(i);
      if (name == b.text || !name.starts_with(b.text) || listed(name)) continue;
      if (taken++ == 0) first = name;
    }
    if (taken == 0) continue;
    Draft draft;
    draft.message = fmt::format("the block `{}` also takes `{}`", shown(b.text, 30), first);
    draft.subject = shown(b.text);
    draft.count = taken;
    draft.where.push_back(at_json(q.file, q.pointer + "/block_name_to_quantize", b.place));
    draft.fix = "list every quantized block, or their common parent";
    emit(std::move(draft));
    return;
  }
}

}  // namespace

extern const Rule kQNT022;
const Rule kQNT022{
    .code = "QNT022",
    .name = "block-prefix-takes-siblings",
    .severity = results::Severity::warning,
    .what =
        "No item of `block_name_to_quantize` is the beginning of the name of a block that the "
        "list does not mean.",
    .why =
        "Every loader compares prefixes as strings: `model.layers.1` also takes layers 10 to "
        "19. When those are stored at 16 bits loading fails (QNT005 names them); when they are "
        "packed the list works by accident.",
    .bad = "\"block_name_to_quantize\": \"model.layers.0,model.layers.1\" in a model of 12 layers",
    .good = "\"block_name_to_quantize\": \"model.layers\"",
    .fix = "list the blocks, or name their common parent",
    .sources = "loaders 2.3, QC006",
    .run = run,
};

}  // namespace ckpt::rules
