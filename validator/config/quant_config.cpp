#include "validator/config/quant_config.h"

#include <fmt/format.h>

#include <array>

#include "validator/base/text.h"
#include "validator/config/model_config.h"
#include "validator/config/reader.h"

namespace ckpt::config {
namespace {

constexpr std::int64_t kMaxBits = 64;
constexpr std::int64_t kMaxGroup = 1 << 24;

QuantMethod parse_method(std::string_view text) {
  struct Row {
    std::string_view name;
    QuantMethod method;
  };

  constexpr std::array kRows{
      Row{"auto-round", QuantMethod::auto_round},
      Row{"gptq", QuantMethod::gptq},
      Row{"awq", QuantMethod::awq},
      Row{"compressed-tensors", QuantMethod::compressed_tensors},
      Row{"fp8", QuantMethod::fp8},
      Row{"modelopt", QuantMethod::modelopt},
      Row{"modelopt_fp4", QuantMethod::modelopt},
      Row{"mxfp4", QuantMethod::mxfp4},
      Row{"bitsandbytes", QuantMethod::bitsandbytes},
  };
  for (const Row& r : kRows) {
    if (r.name == text) return r.method;
  }
  return QuantMethod::unknown;
}

std::vector<Pattern> read_patterns(const Reader& reader, std::string_view name) {
  std::vector<Pattern> out;
  const json::Value list = reader.field(name);
  if (!list) return out;
  if (!list.is(json::Kind::array)) {
    reader.defect(DefectKind::wrong_type, name, list,
                  fmt::format("`{}` is {}, it must be a list of strings", shown(name),
                              json::kind_name(list.kind())));
    return out;
  }
  list.each([&](const json::Value& v) {
    if (const auto s = v.string()) {
      out.push_back({std::string(*s), v});
    } else {
      reader.defect(DefectKind::wrong_type, name, v,
                    fmt::format("an item of `{}` is {}, it must be a string", shown(name),
                                json::kind_name(v.kind())));
    }
  });
  return out;
}

std::vector<Override> read_overrides(const Reader& reader, std::string_view name,
                                     const std::string& file, std::vector<Defect>& defects) {
  std::vector<Override> out;
  const json::Value object = reader.field(name);
  if (!object) return out;
  if (!object.is(json::Kind::object)) {
    reader.defect(DefectKind::wrong_type, name, object,
                  fmt::format("`{}` is {}, it must be an object", shown(name),
                              json::kind_name(object.kind())));
    return out;
  }
  out.reserve(object.size());
  const std::string pointer = reader.pointer(name);
  object.each_member([&](const json::Member& m) {
    Override o;
    o.key = std::string(m.name);
    o.member = m;
    const Reader entry(file, m.value, json::pointer_append(pointer, m.name), defects);
    entry.optional_integer("bits", 1, kMaxBits, o.bits);
    // FP8 exports hold a pair here; it says nothing about integer groups.
    if (!entry.field("group_size").is(json::Kind::array)) {
      entry.optional_integer("group_size", -1, kMaxGroup, o.group_size);
    }
    entry.optional_boolean("sym", o.sym);
    entry.optional_boolean("desc_act", o.desc_act);
    std::string data_type;
    entry.text("data_type", data_type);
    if (!data_type.empty()) o.data_type = data_type;
    out.push_back(std::move(o));
  });
  return out;
}

/// `block_name_to_quantize` or its older name: a comma string, a list, or a list of lists.
void read_blocks(const Reader& reader, QuantConfig& q) {
  json::Value v;
  for (const std::string_view name : {"block_name_to_quantize", "to_quant_block_names"}) {
    v = reader.field(name);
    if (v) break;
  }
  if (!v) return;
  q.blocks_given = true;
  if (const auto text = v.string()) {
    q.blocks_text = std::string(*text);
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      q.blocks.push_back({std::string(rest.substr(0, comma)), v});
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    return;
  }
  q.blocks_is_list = v.is(json::Kind::array);
  if (!q.blocks_is_list) {
    reader.defect(DefectKind::wrong_type, "block_name_to_quantize", v,
                  fmt::format("`block_name_to_quantize` is {}, it must be a string or a list",
                              json::kind_name(v.kind())));
    return;
  }
  v.each([&](const json::Value& item) {
    if (const auto s = item.string()) {
      q.blocks.push_back({std::string(*s), item});
    } else if (item.is(json::Kind::array)) {
      q.blocks_nested = true;
      item.each([&](const json::Value& inner) {
        if (const auto name = inner.string()) q.blocks.push_back({std::string(*name), inner});
      });
    }
  });
}

/// Elements of a list as integers; what is none reads as 0.
std::vector<std::int64_t> integers(const json::Value& list) {
  std::vector<std::int64_t> out;
  if (!list.is(json::Kind::array)) return out;
  list.each([&out](const json::Value& v) { out.push_back(v.integer().value_or(0)); });
  return out;
}

/// A list of names, or of lists of names (GPTQ's modules_in_block_to_quantize).
std::vector<Pattern> read_module_groups(const json::Value& list) {
  std::vector<Pattern> out;
  const auto take = [&out](const json::Value& v) {
    if (const auto s = v.string()) out.push_back({std::string(*s), v});
  };
  if (!list.is(json::Kind::array)) return out;
  list.each([&take](const json::Value& item) {
    item.is(json::Kind::array) ? item.each(take) : take(item);
  });
  return out;
}

QuantArgs read_args(const Reader& reader) {
  QuantArgs a;
  reader.integer("num_bits", 1, kMaxBits, a.num_bits);
  reader.text("type", a.type);
  reader.boolean("symmetric", a.symmetric);
  reader.text("strategy", a.strategy);
  std::optional<std::int64_t> group;
  reader.optional_integer("group_size", -1, kMaxGroup, group);
  a.group_size = group.value_or(-1);
  if (a.strategy.empty()) {
    a.strategy = !group ? "tensor" : *group > 0 ? "group" : "channel";
  }
  if (a.strategy != "group" && a.strategy != "tensor_group") a.group_size = -1;
  if (reader.field("actorder").is(json::Kind::string)) reader.text("actorder", a.actorder);
  return a;
}

void read_groups(const Reader& reader, const std::string& file, QuantConfig& q,
                 std::vector<Defect>& defects) {
  const json::Value groups = reader.field("config_groups");
  if (!groups.is(json::Kind::object)) return;
  const std::string pointer = reader.pointer("config_groups");
  groups.each_member([&](const json::Member& m) {
    ConfigGroup g;
    g.name = std::string(m.name);
    g.place = m.value;
    const std::string at = json::pointer_append(pointer, m.name);
    const Reader group(file, m.value, at, defects);
    g.targets = read_patterns(group, "targets");
    group.text("format", g.format);
    if (const json::Value w = group.field("weights"); w.is(json::Kind::object)) {
      g.weights = read_args(Reader(file, w, json::pointer_append(at, "weights"), defects));
    }
    if (const json::Value a = group.field("input_activations"); a.is(json::Kind::object)) {
      g.input_activations = true;
      g.input_bits =
          read_args(Reader(file, a, json::pointer_append(at, "input_activations"), defects))
              .num_bits;
    }
    q.groups.push_back(std::move(g));
  });
}

}  // namespace

void read_quant_config(const std::string& file, std::shared_ptr<const json::Document> document,
                       const std::string& pointer, const json::Member& block, ModelConfig& model) {
  QuantConfig q;
  q.file = file;
  q.pointer = pointer;
  q.document = std::move(document);
  q.block = block;
  const Reader reader(file, block.value, pointer, model.defects);
  reader.text("quant_method", q.method_text);
  q.method = parse_method(q.method_text);
  if (q.method == QuantMethod::compressed_tensors) {
    reader.text("format", q.format);
    read_groups(reader, file, q, model.defects);
    q.ignore = read_patterns(reader, "ignore");
    model.quant = std::move(q);
    return;
  }
  reader.optional_integer("bits", 1, kMaxBits, q.bits);
  if (reader.field("group_size").is(json::Kind::array)) {
    q.group_pair = integers(reader.field("group_size"));
  } else {
    reader.optional_integer("group_size", -1, kMaxGroup, q.group_size);
  }
  reader.optional_boolean("sym", q.sym);
  reader.boolean("lm_head", q.lm_head);
  reader.text("data_type", q.data_type);
  reader.text("packing_format", q.packing_format);
  reader.optional_boolean("desc_act", q.desc_act);
  reader.text("checkpoint_format", q.checkpoint_format);
  reader.optional_boolean("zero_point", q.zero_point);
  read_blocks(reader, q);
  q.overrides = read_overrides(reader, "extra_config", file, model.defects);
  q.dynamic = read_overrides(reader, "dynamic", file, model.defects);
  q.modules_in_block = read_module_groups(reader.field("modules_in_block_to_quantize"));
  q.exclusions_given = static_cast<bool>(reader.field("modules_to_not_convert"));
  q.modules_to_not_convert = read_patterns(reader, "modules_to_not_convert");
  q.ignored_layers = read_patterns(reader, "ignored_layers");
  reader.text("activation_scheme", q.activation_scheme);
  q.weight_block_given = reader.field("weight_block_size").is(json::Kind::array);
  q.weight_block_size = integers(reader.field("weight_block_size"));
  for (const std::string_view name : {"backend", "vllm_backend", "sglang_backend"}) {
    if (q.backend.empty()) reader.text(name, q.backend);
  }
  model.quant = std::move(q);
}

}  // namespace ckpt::config
