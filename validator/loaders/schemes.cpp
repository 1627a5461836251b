// What GPTQ, AWQ and FP8 blocks say, before any loader's matching (formats page, 3, 4 and 6.2).

#include <algorithm>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

constexpr std::string_view kExclude = "-:";
constexpr std::string_view kOverride = "+:";

std::vector<std::string> dynamic_patterns(const config::QuantConfig& quant) {
  std::vector<std::string> out;
  for (const config::Override& o : quant.dynamic) {
    const bool marked = o.key.starts_with(kExclude) || o.key.starts_with(kOverride);
    out.push_back(marked ? o.key.substr(kExclude.size()) : o.key);
  }
  return out;
}

}  // namespace

Decision raises(std::string type, std::string text) {
  Decision d;
  d.error = std::move(type);
  d.error_text = std::move(text);
  return d;
}

bool gptq_type(const Decision& d) {
  return (d.bits == 4 || d.bits == 8) && d.sym;
}

bool marlin_group(std::int64_t group_size) {
  constexpr std::int64_t kGroups[] = {-1, 32, 64, 128};
  return std::ranges::find(kGroups, group_size) != std::end(kGroups);
}

std::vector<std::string> mapped(const std::vector<config::Pattern>& patterns,
                                const NameMap& names) {
  std::vector<std::string> out;
  for (const config::Pattern& p : patterns) out.push_back(names.text(p.text));
  return out;
}

DynamicTable::DynamicTable(const config::QuantConfig& quant)
    : q_(quant), patterns_(dynamic_patterns(quant), Anchor::start) {}

bool DynamicTable::apply(std::string_view name, Decision& d) const {
  const int hit = patterns_.first_match(name);
  if (hit < 0) return true;
  const config::Override& o = q_.dynamic[static_cast<std::size_t>(hit)];
  if (o.key.starts_with(kExclude)) return false;
  d.bits = o.bits.value_or(d.bits);
  d.group_size = o.group_size.value_or(d.group_size);
  d.sym = o.sym.value_or(d.sym);
  d.desc_act = o.desc_act.value_or(d.desc_act);
  d.entry = hit;
  return true;
}

Decision gptq_scheme(const config::QuantConfig& quant) {
  Decision d;
  d.quantized = true;
  d.bits = quant.bits.value_or(4);
  d.group_size = quant.group_size.value_or(128);
  d.sym = quant.sym.value_or(true);
  // With one group per channel the activation order changes nothing.
  d.desc_act = quant.desc_act.value_or(false) && d.group_size != -1;
  return d;
}

Decision awq_scheme(const config::QuantConfig& quant) {
  Decision d;
  d.quantized = true;
  d.bits = quant.bits.value_or(4);
  d.group_size = quant.group_size.value_or(128);
  d.sym = !quant.zero_point.value_or(true);
  return d;
}

Decision fp8_scheme(const config::QuantConfig& quant) {
  Decision d;
  d.quantized = true;
  d.bits = 8;
  d.type = "float";
  const bool block = quant.weight_block_size.size() == 2;
  d.strategy = block ? "block" : "tensor";
  if (block) d.block = {quant.weight_block_size[0], quant.weight_block_size[1]};
  return d;
}

std::string fp8_refusal(const config::QuantConfig& quant) {
  const std::string& scheme = quant.activation_scheme;
  if (scheme.empty()) return "ValueError: no `activation_scheme` in the quantization config";
  if (scheme != "dynamic" && scheme != "static") {
    return "ValueError: Unsupported activation scheme " + scheme;
  }
  if (!quant.weight_block_given) return {};
  if (quant.weight_block_size.size() != 2) {
    return "ValueError: The quantization block size of weight must have 2 dimensions";
  }
  if (scheme != "dynamic") {
    return "ValueError: The block-wise quantization only supports dynamic activation scheme";
  }
  return {};
}

const std::vector<config::Pattern>& fp8_exclusions(const config::QuantConfig& quant) {
  return quant.ignored_layers.empty() ? quant.modules_to_not_convert : quant.ignored_layers;
}

}  // namespace ckpt::loaders
