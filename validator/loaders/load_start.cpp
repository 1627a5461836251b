// Why from_pretrained stops before it looks at a single parameter: config, files, quantizer.

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/load_internal.h"

namespace ckpt::loaders {
namespace {

using config::QuantMethod;
using container::DefectKind;

Failure fails(std::string type, std::string why) {
  return {LoadVerdict::fails_load, std::move(type), std::move(why)};
}

std::optional<Failure> config_failure(const LoadInput& in) {
  if (in.config.document == nullptr) return fails("ValueError", "config.json cannot be read");
  const json::Value root = in.config.document->root();
  const auto type = root.find("model_type").string().value_or(std::string_view{});
  const bool text_type = type == "qwen3_5_moe_text" || type == "qwen3_5_text";
  if (!text_type && type != "qwen3_5_moe" && type != "qwen3_5") {
    return fails("ValueError", "model_type is not known to transformers");
  }
  const bool vl = in.config.model_class == config::ModelClass::conditional_generation;
  if (text_type && vl) return fails("ValueError", "a text config has no vision-language class");
  if (text_type && root.find("text_config").is(json::Kind::object)) {
    return fails("AttributeError", "a text model_type over a nested config");
  }
  const json::Value text = in.config.nested ? root.find("text_config") : root;
  const json::Value types = text.find("layer_types");
  if (types.is(json::Kind::array) &&
      types.size() != static_cast<std::size_t>(in.config.text.num_hidden_layers)) {
    return fails("StrictDataclassClassValidationError", "layer_types is not one per layer");
  }
  if (text.find("pad_token_id").integer().value_or(0) >= in.config.text.vocab_size) {
    return fails("AssertionError", "Padding_idx must be within num_embeddings");
  }
  return std::nullopt;
}

/// Damage for which the safetensors library itself refuses a file.
bool library_refuses(DefectKind kind) {
  constexpr DefectKind kRefused[] = {
      DefectKind::unreadable,    DefectKind::not_safetensors, DefectKind::header_length,
      DefectKind::truncated,     DefectKind::header_text,     DefectKind::entry,
      DefectKind::unknown_dtype, DefectKind::size_mismatch,   DefectKind::overlap,
      DefectKind::hole,          DefectKind::metadata};
  return std::ranges::find(kRefused, kind) != std::end(kRefused);
}

std::optional<Failure> file_failure(const LoadInput& in, const VisibleShards& shards) {
  const auto has = [&in](DefectKind kind) {
    return std::ranges::any_of(in.checkpoint.defects(),
                               [kind](const container::Defect& d) { return d.kind == kind; });
  };
  const bool index_read = in.checkpoint.index() && !shards.single;
  if (!shards.single && !index_read) {
    return fails("OSError", "Error no file named model.safetensors, and there is no index");
  }
  if (index_read) {
    if (in.checkpoint.index()->entries.empty()) return fails("IndexError", "weight_map is empty");
    if (has(DefectKind::index_no_metadata)) return fails("KeyError", "the index has no metadata");
    if (has(DefectKind::index_missing_shard) || has(DefectKind::index_value)) {
      return fails("FileNotFoundError", "the index names a file that is not there");
    }
  }
  std::unordered_set<std::string> repeated;  // of two entries of a name the library takes the last
  for (const container::Defect& d : in.checkpoint.defects()) {
    if (d.kind == DefectKind::duplicate_name) repeated.insert(d.file);
  }
  for (const container::Defect& d : in.checkpoint.defects()) {
    const bool consequence =
        (d.kind == DefectKind::overlap || d.kind == DefectKind::hole) && repeated.contains(d.file);
    if (library_refuses(d.kind) && shards.reads(d.file) && !consequence) {
      return fails("SafetensorError", "Error while deserializing header: " + d.message);
    }
  }
  return std::nullopt;
}

std::optional<Failure> quantizer_failure(const LoadInput& in) {
  const config::QuantConfig* block = transformers_quant(in.config);
  if (block == nullptr) return std::nullopt;
  const config::QuantConfig& q = *block;
  if (q.method_text.empty()) {
    return fails("ValueError", "the quantization config has no `quant_method`");
  }
  if (q.method == QuantMethod::awq) {
    return fails("ImportError", "Loading an AWQ quantized model requires gptqmodel");
  }
  for (const config::ConfigGroup& g : q.groups) {
    for (const config::Pattern& t : g.targets) {
      if (!t.text.starts_with("re:") && t.text.ends_with("Attention")) {
        return fails("ValueError", "Cannot apply weight quantization to attention");
      }
    }
  }
  return std::nullopt;
}

std::optional<Failure> plan_failure(const LoadInput& in) {
  if (in.plan == nullptr || in.plan->refused.empty()) return std::nullopt;
  const std::string& text = in.plan->refused;
  return fails(text.substr(0, text.find(':')), text);
}

/// AutoRound on a CPU: no kernel at all is a ValueError; a kernel of a package that is not
/// installed ends the process.
std::optional<Failure> kernel_failure(const LoadInput& in) {
  const config::QuantConfig* q = transformers_quant(in.config);
  if (in.plan == nullptr || q == nullptr || q->method != QuantMethod::auto_round) {
    return std::nullopt;
  }
  const bool awq = q->packing_format == kAutoAwq;
  std::optional<Failure> none;
  for (const PlannedModule& p : in.plan->modules) {
    const Decision& d = p.decision;
    if (!d.quantized) continue;
    const arch::Module& m = in.blueprint->modules()[p.members[0]];
    const auto n = static_cast<std::int64_t>(m.shape[0]);
    const auto k = static_cast<std::int64_t>(m.shape[1]);
    const bool width = d.bits == 2 || d.bits == 4 || d.bits == 8;
    // A group that ends beyond the row is taken by packages that are not installed, but neither
    // with a bias nor when the row is shorter than one group.
    const bool ragged = d.group_size > 0 && k % d.group_size != 0;
    if (!width || (awq && d.bits != 4) || (ragged && (m.bias || d.group_size > k))) {
      if (!none) {
        none = fails("ValueError", "No compatible backend found for layer " + m.name);
      }
      continue;
    }
    constexpr std::int64_t kTile = 32;
    if (m.bias) continue;
    if (n % kTile != 0 || k % kTile != 0 || !d.sym || awq) {
      return Failure{LoadVerdict::exits, "SystemExit",
                     "no installed kernel takes " + m.name + "; the process ends"};
    }
  }
  return none;
}

}  // namespace

VisibleShards visible_shards(const container::Checkpoint& checkpoint) {
  VisibleShards out;
  out.single = checkpoint.shadowed();
  for (const container::Shard& s : checkpoint.shards()) {
    out.single = out.single || s.name == "model.safetensors";
  }
  if (const auto& index = checkpoint.index()) {
    for (const container::IndexEntry& e : index->entries) out.listed.emplace(e.file);
  }
  for (const container::Shard& s : checkpoint.shards()) out.visible.push_back(out.reads(s.name));
  return out;
}

bool VisibleShards::reads(std::string_view file) const {
  return single ? file == "model.safetensors" : listed.contains(std::string(file));
}

std::optional<Failure> start_failure(const LoadInput& in, const VisibleShards& shards) {
  if (auto f = config_failure(in)) return f;
  if (auto f = quantizer_failure(in)) return f;
  if (auto f = file_failure(in, shards)) return f;
  if (auto f = plan_failure(in)) return f;
  return kernel_failure(in);
}

}  // namespace ckpt::loaders
