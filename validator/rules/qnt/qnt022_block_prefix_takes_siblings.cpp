#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt022 {

bool ends_in_digit(const std::string& text) {
  return !text.empty() && text.back() >= '0' && text.back() <= '9';
}

/// Layers that the list means: named exactly, or by a prefix that does not end in a number.
std::vector<bool> meant_layers(const std::set<std::string>& blocks, const std::string& stem,
                               std::size_t layers) {
  std::vector<bool> meant(layers);
  for (std::size_t i = 0; i < layers; ++i) {
    const std::string name = stem + std::to_string(i);
    meant[i] = blocks.contains(name);
    for (auto b = blocks.begin(); b != blocks.end() && !meant[i]; ++b) {
      meant[i] = !b->empty() && !ends_in_digit(*b) && name.starts_with(*b);
    }
  }
  return meant;
}

/// Layers with a module that is stored packed.
std::vector<bool> packed_layers(const RuleInput& in, std::size_t layers) {
  std::vector<bool> packed(layers);
  for (const std::uint32_t i : packed_modules(in)) {
    const arch::Module& m = in.blueprint->modules()[i];
    const bool trunk = m.cls != arch::ModuleClass::vision && m.cls != arch::ModuleClass::mtp;
    if (trunk && m.layer >= 0 && static_cast<std::size_t>(m.layer) < layers) {
      packed[static_cast<std::size_t>(m.layer)] = true;
    }
  }
  return packed;
}

/// The list that means what is stored: all layers by their parent, else one by one.
std::string stored_blocks(const std::string& stem, const std::vector<bool>& packed) {
  if (std::ranges::count(packed, false) == 0) return stem.substr(0, stem.size() - 1);
  std::string out;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    if (packed[i]) out += (out.empty() ? "" : ",") + stem + std::to_string(i);
  }
  return out;
}

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  const auto layers = static_cast<std::size_t>(in.config->text.num_hidden_layers);
  if (q.blocks.size() > 2 * layers + 16) return;  // no list of blocks is longer
  const std::string stem = in.blueprint->text_prefix() + "layers.";
  std::set<std::string> blocks;
  for (const config::Pattern& b : q.blocks) blocks.insert(b.text);
  const std::vector<bool> meant = meant_layers(blocks, stem, layers);
  const std::vector<bool> packed = packed_layers(in, layers);
  for (const std::string& b : blocks) {
    if (!b.starts_with(stem) || !ends_in_digit(b)) continue;
    std::size_t taken = 0;
    std::string first;
    bool stored = true;
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string name = stem + std::to_string(i);
      if (meant[i] || !name.starts_with(b)) continue;
      if (taken++ == 0) first = name;
      stored = stored && packed[i];
    }
    if (taken == 0) continue;
    Draft draft;
    draft.message = fmt::format("the block `{}` also takes `{}`", shown(b, 30), first);
    draft.subject = shown(b);
    draft.count = taken;
    draft.where.push_back(at_json(q.file, q.pointer + "/block_name_to_quantize",
                                  q.block.value.find("block_name_to_quantize")));
    draft.fix = "list every quantized block, or their common parent";
    // A prefix can only take more: layers at 16 bits among them are a matter of `extra_config`.
    if (stored && !q.blocks_is_list && q.block.value.find("block_name_to_quantize")) {
      draft.edits.push_back(set_member(q.file, q.block.value, "block_name_to_quantize",
                                       json::quoted(stored_blocks(stem, packed))));
    }
    emit(std::move(draft));
    return;
  }
}

}  // namespace qnt022

extern const Rule kQNT022;
const Rule kQNT022{
    .code = "QNT022",
    .name = "block-prefix-takes-siblings",
    .severity = results::Severity::warning,
    .repairable = true,
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
    .run = qnt022::run,
};

}  // namespace ckpt::rules
