#include "validator/config/model_config.h"

#include <fmt/format.h>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/config/reader.h"

namespace ckpt::config {
namespace {

constexpr std::int64_t kCount = limits::kModelDimension;
constexpr std::int64_t kWidth = limits::kModelWidth;
constexpr std::int64_t kMaxLayers = 4096;

/// RoPE as transformers 5.17 resolves it (architecture, 1.3): `rope_scaling` replaces
/// `rope_parameters`, then flat fields fill what is missing.
void read_rope(const Reader& text, const json::Value& object, const std::string& file,
               std::vector<Defect>& defects, TextConfig& t) {
  double flat_theta = 10000;
  double flat_fraction = 0.25;
  text.number("rope_theta", 1e-3, 1e15, flat_theta);
  text.number("partial_rotary_factor", 0, 1, flat_fraction);
  RopeConfig& rope = t.rope;
  rope.theta = flat_theta;
  rope.partial_rotary_factor = flat_fraction;
  std::string_view name = "rope_scaling";
  json::Value v = object.find(name);
  if (!v.is(json::Kind::object)) {
    name = "rope_parameters";
    v = object.find(name);
  }
  if (!v.is(json::Kind::object)) return;
  const Reader r(file, v, json::pointer_append(t.pointer, name), defects);
  r.text("type", rope.type);
  r.text("rope_type", rope.type);
  r.number("rope_theta", 1e-3, 1e15, rope.theta);
  r.number("partial_rotary_factor", 0, 1, rope.partial_rotary_factor);
  r.boolean("mrope_interleaved", rope.mrope_interleaved);
  if (const json::Value s = r.field("mrope_section"); s.is(json::Kind::array)) {
    rope.mrope_section.clear();
    s.each([&](const json::Value& d) { rope.mrope_section.push_back(d.integer().value_or(0)); });
  }
  rope.original_max_position = static_cast<double>(t.max_position_embeddings);
  r.number("factor", 1e-6, 1e6, rope.factor);
  r.number("original_max_position_embeddings", 1, 1e12, rope.original_max_position);
  r.number("beta_fast", 0, 1e6, rope.beta_fast);
  r.number("beta_slow", 0, 1e6, rope.beta_slow);
  r.boolean("truncate", rope.truncate);
  const auto optional = [&r](std::string_view field, std::optional<double>& out) {
    if (const auto d = r.field(field).number()) out = d;
  };
  optional("attention_factor", rope.attention_factor);
  optional("mscale", rope.mscale);
  optional("mscale_all_dim", rope.mscale_all_dim);
  if (rope.type != "default" && rope.type != "yarn" && rope.type != "mrope") {
    r.defect(DefectKind::unknown_value, "rope_type", r.field("rope_type"),
             fmt::format("rope type `{}` is not known here (default, yarn)", shown(rope.type, 40)));
  }
}

void read_layer_types(const Reader& r, TextConfig& t) {
  std::int64_t interval = 4;
  r.integer("full_attention_interval", 1, kMaxLayers, interval);
  const bool interval_given = static_cast<bool>(r.field("full_attention_interval"));
  const auto derived = [interval](std::size_t i) {
    return (static_cast<std::int64_t>(i) + 1) % interval == 0 ? LayerType::full_attention
                                                              : LayerType::linear_attention;
  };
  const auto n = static_cast<std::size_t>(t.num_hidden_layers);
  const json::Value list = r.field("layer_types");
  bool good = list.is(json::Kind::array);
  bool agrees = true;
  list.each([&](const json::Value& v) {
    const std::string_view s = v.string().value_or("");
    const bool full = s == "full_attention" || s == "attention";
    if (!full && s != "linear_attention" && s != "mamba" && s != "conv") {
      if (good) {
        r.defect(DefectKind::unknown_value, "layer_types", v,
                 fmt::format("layer type {} is neither `linear_attention` nor `full_attention`",
                             shown(v.raw(), 40)));
      }
      good = false;
    }
    const LayerType type = full ? LayerType::full_attention : LayerType::linear_attention;
    agrees = agrees && type == derived(t.layer_types.size());
    t.layer_types.push_back(type);
  });
  if (good && t.layer_types.size() != n) {
    r.defect(DefectKind::inconsistent, "layer_types", list,
             fmt::format("`layer_types` names {} layers, `num_hidden_layers` is {}",
                         t.layer_types.size(), n));
    good = false;
  }
  if (good && interval_given && !agrees) {
    r.defect(DefectKind::inconsistent, "full_attention_interval",
             r.field("full_attention_interval"),
             fmt::format("`full_attention_interval` {} contradicts `layer_types`", interval));
  }
  if (good) return;
  t.layer_types.clear();
  for (std::size_t i = 0; i < n; ++i) t.layer_types.push_back(derived(i));
}

void read_text(const json::Value& object, ModelConfig& m) {
  TextConfig& t = m.text;
  const Reader r("config.json", object, t.pointer, m.defects);
  if (!t.moe) {  // defaults of the dense class
    t.hidden_size = 4096;
    t.num_hidden_layers = 32;
    t.num_key_value_heads = 4;
  }
  r.integer("vocab_size", 1, kWidth, t.vocab_size);
  r.integer("hidden_size", 1, kWidth, t.hidden_size);
  r.integer("num_hidden_layers", 1, kMaxLayers, t.num_hidden_layers);
  r.integer("num_attention_heads", 1, kCount, t.num_attention_heads);
  r.integer("num_key_value_heads", 1, kCount, t.num_key_value_heads);
  r.integer("head_dim", 1, kWidth, t.head_dim);
  r.boolean("attention_bias", t.attention_bias);
  r.number("rms_norm_eps", 0, 1, t.rms_norm_eps);
  r.integer("linear_num_key_heads", 1, kCount, t.linear_num_key_heads);
  r.integer("linear_num_value_heads", 1, kCount, t.linear_num_value_heads);
  r.integer("linear_key_head_dim", 1, kWidth, t.linear_key_head_dim);
  r.integer("linear_value_head_dim", 1, kWidth, t.linear_value_head_dim);
  r.integer("linear_conv_kernel_dim", 1, 1024, t.linear_conv_kernel_dim);
  r.boolean("tie_word_embeddings", t.tie_word_embeddings);
  r.integer("max_position_embeddings", 1, 1LL << 40, t.max_position_embeddings);
  r.integer("mtp_num_hidden_layers", 0, 64, t.mtp_num_hidden_layers);
  if (t.moe) {
    r.integer("num_experts", 1, kCount, t.num_experts);
    r.integer("num_experts_per_tok", 1, kCount, t.num_experts_per_tok);
    r.integer("moe_intermediate_size", 1, kWidth, t.moe_intermediate_size);
    r.integer("shared_expert_intermediate_size", 1, kWidth, t.shared_expert_intermediate_size);
  } else {
    r.integer("intermediate_size", 1, kWidth, t.intermediate_size);
  }
  read_layer_types(r, t);
  read_rope(r, object, "config.json", m.defects, t);
  const auto must_divide = [&r](std::string_view name, std::int64_t a, std::int64_t b) {
    if (a % b == 0) return;
    r.defect(DefectKind::inconsistent, name, r.field(name),
             fmt::format("`{}` {} is not a multiple of {}", name, a, b));
  };
  must_divide("num_attention_heads", t.num_attention_heads, t.num_key_value_heads);
  must_divide("linear_num_value_heads", t.linear_num_value_heads, t.linear_num_key_heads);
  if (t.moe && t.num_experts_per_tok > t.num_experts) {
    r.defect(DefectKind::inconsistent, "num_experts_per_tok", r.field("num_experts_per_tok"),
             fmt::format("`num_experts_per_tok` {} exceeds `num_experts` {}", t.num_experts_per_tok,
                         t.num_experts));
  }
}

void read_vision(const json::Value& object, ModelConfig& m) {
  VisionConfig v;
  const Reader r("config.json", object, "/vision_config", m.defects);
  r.integer("depth", 0, kMaxLayers, v.depth);
  r.integer("hidden_size", 1, kWidth, v.hidden_size);
  r.integer("num_attention_heads", 1, kCount, v.num_heads);
  r.integer("num_heads", 1, kCount, v.num_heads);
  r.integer("intermediate_size", 1, kWidth, v.intermediate_size);
  r.integer("patch_size", 1, 4096, v.patch_size);
  r.integer("temporal_patch_size", 1, 4096, v.temporal_patch_size);
  r.integer("spatial_merge_size", 1, 4096, v.spatial_merge_size);
  r.integer("in_channels", 1, 4096, v.in_channels);
  r.integer("num_position_embeddings", 1, kWidth, v.num_position_embeddings);
  r.integer("out_hidden_size", 1, kWidth, v.out_hidden_size);
  r.text("hidden_act", v.hidden_act);
  r.field("deepstack_visual_indexes").each([&](const json::Value&) { v.deepstack = true; });
  Reader("config.json", object.find("rope_parameters"), "/vision_config/rope_parameters", m.defects)
      .number("rope_theta", 1, 1e12, v.rope_theta);
  const Reader top("config.json", m.document->root(), "", m.defects);
  top.integer("image_token_id", 0, kWidth, v.image_token_id);
  top.integer("vision_start_token_id", 0, kWidth, v.vision_start_token_id);
  top.integer("vision_end_token_id", 0, kWidth, v.vision_end_token_id);
  if (v.out_hidden_size != m.text.hidden_size) {
    r.defect(DefectKind::inconsistent, "out_hidden_size", r.field("out_hidden_size"),
             fmt::format("vision `out_hidden_size` {} is not the text `hidden_size` {}",
                         v.out_hidden_size, m.text.hidden_size));
  }
  m.vision = v;
}

void collect_dtypes(const json::Value& object, const std::string& pointer, ModelConfig& m) {
  for (const std::string_view name : {"dtype", "torch_dtype"}) {
    const json::Member member = object.member(name);
    if (const auto s = member.value.string()) {
      m.dtypes.push_back({json::pointer_append(pointer, name), std::string(*s), member});
    }
  }
}

void read_architecture(const json::Value& root, ModelConfig& m) {
  const Reader top("config.json", root, "", m.defects);
  const json::Value list = root.find("architectures");
  list.each([&](const json::Value& v) {
    if (m.architecture.empty()) m.architecture = std::string(v.string().value_or(""));
  });
  const json::Value text = root.find("text_config");
  m.nested = text.is(json::Kind::object);
  std::string model_type;
  top.text("model_type", model_type);
  const bool dense =
      m.architecture.starts_with("Qwen3_5For") ||
      (m.architecture.empty() && (model_type == "qwen3_5" || model_type == "qwen3_5_text"));
  m.text.moe = !dense;
  m.supported = dense || m.architecture.starts_with("Qwen3_5MoeFor") ||
                (m.architecture.empty() && model_type.starts_with("qwen3_5_moe"));
  m.model_class =
      m.architecture.ends_with("ForConditionalGeneration") || (m.architecture.empty() && m.nested)
          ? ModelClass::conditional_generation
          : ModelClass::causal_lm;
  if (m.supported && m.architecture.empty()) {
    top.defect(DefectKind::unsupported_architecture, "architectures", list ? list : root,
               "`architectures` names no class; engines choose by it");
  }
  if (!m.supported) {
    top.defect(
        DefectKind::unsupported_architecture, "architectures", list,
        fmt::format("architecture `{}` is not known here (Qwen3.5 and Qwen3.6, MoE or dense)",
                    shown(m.architecture.empty() ? model_type : m.architecture, 80)));
  }
  if (m.model_class == ModelClass::conditional_generation && !m.nested) {
    top.defect(DefectKind::class_shape, "architectures", list,
               fmt::format("`{}` needs `text_config` and `vision_config`, the config is flat",
                           shown(m.architecture, 80)));
  }
}

void read_side_file(const repo::Repo& repo, ModelConfig& m) {
  for (const char* name : {"quantization_config.json", "quantize_config.json"}) {
    if (repo.find(name) == nullptr) continue;
    auto document = repo.read_json(name, limits::kConfigBytes);
    if (!document || !(*document)->root().is(json::Kind::object)) continue;
    const json::Member block{(*document)->root(), "", (*document)->root()};
    read_quant_config(name, *document, "", block, m);
    return;
  }
}

void read_quantization(const repo::Repo& repo, const json::Value& root, ModelConfig& m) {
  struct Place {
    json::Value object;
    std::string_view name;
    std::string pointer;
  };

  for (const Place& p :
       {Place{root, "quantization_config", "/quantization_config"},
        Place{root.find("text_config"), "quantization_config", "/text_config/quantization_config"},
        Place{root, "compression_config", "/compression_config"}}) {
    const json::Member block = p.object.member(p.name);
    if (!block.value.is(json::Kind::object)) continue;
    read_quant_config("config.json", m.document, p.pointer, block, m);
    return;
  }
  read_side_file(repo, m);
}

}  // namespace

ModelConfig read_model_config(const repo::Repo& repo) {
  ModelConfig m;
  auto document = repo.read_json("config.json", limits::kConfigBytes);
  if (!document) {
    const bool absent = repo.find("config.json") == nullptr;
    m.defects.push_back({absent ? DefectKind::missing_file : DefectKind::unreadable,
                         "config.json",
                         "",
                         {},
                         absent ? "there is no config.json" : document.error().message});
    return m;
  }
  m.document = *document;
  const json::Value root = m.document->root();
  if (!root.is(json::Kind::object)) {
    m.defects.push_back(
        {DefectKind::unreadable, "config.json", "", root,
         fmt::format("the document is {}, it must be an object", json::kind_name(root.kind()))});
    return m;
  }
  for (const json::Duplicate& d : m.document->duplicates()) {
    m.defects.push_back({DefectKind::duplicate_key,
                         "config.json",
                         "",
                         {},
                         fmt::format("the key `{}` stands twice, at bytes {} and {}", shown(d.key),
                                     d.first_offset, d.offset)});
  }
  read_architecture(root, m);
  m.text.pointer = m.nested ? "/text_config" : "";
  read_text(m.nested ? root.find("text_config") : root, m);
  const json::Value vision = root.find("vision_config");
  if (m.model_class == ModelClass::conditional_generation && vision.is(json::Kind::object)) {
    read_vision(vision, m);
  }
  collect_dtypes(root, "", m);
  if (m.nested) collect_dtypes(root.find("text_config"), "/text_config", m);
  collect_dtypes(vision, "/vision_config", m);
  read_quantization(repo, root, m);
  return m;
}

}  // namespace ckpt::config
