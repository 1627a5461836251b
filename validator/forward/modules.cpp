#include "validator/forward/modules.h"

#include <fmt/format.h>

#include <numeric>

#include "validator/forward/mixer.h"
#include "validator/forward/mlp.h"

namespace ckpt::forward {

namespace {

using weights::Model;

Result<std::uint32_t> module_index(const Model& model, std::string_view name) {
  const std::int32_t i = model.blueprint().find(name);
  if (i < 0) return fail(ErrorKind::not_found, fmt::format("{}: no such module", name));
  return static_cast<std::uint32_t>(i);
}

class Collector {
 public:
  explicit Collector(const Pair& pair) : pair_(pair) {}

  // `names` of one layer, all of the reference, then all of the candidate.
  Result<void> both(int layer, std::span<const std::string_view> names) {
    for (const Model* model : {&pair_.reference, &pair_.candidate}) {
      for (const std::string_view name : names) {
        CKPT_TRY(const std::uint32_t i, layer_module(*model, layer, name), "forward");
        CKPT_TRY_VOID(add(*model, i), "forward");
      }
    }
    return {};
  }

  Result<void> experts(int layer, std::int64_t count) {
    const arch::ExpertBlock* r = pair_.reference.blueprint().experts_of_layer(layer);
    const arch::ExpertBlock* c = pair_.candidate.blueprint().experts_of_layer(layer);
    if (r == nullptr || c == nullptr) {
      return fail(ErrorKind::not_found, fmt::format("layer {}: no experts", layer));
    }
    for (std::int64_t e = 0; e < count; ++e) {
      for (std::uint32_t part = 0; part < 3; ++part) {
        CKPT_TRY_VOID(add(pair_.reference, r->first + static_cast<std::uint32_t>(3 * e) + part),
                      "reference");
      }
      for (std::uint32_t part = 0; part < 3; ++part) {
        CKPT_TRY_VOID(add(pair_.candidate, c->first + static_cast<std::uint32_t>(3 * e) + part),
                      "candidate");
      }
    }
    return {};
  }

  Result<void> add(const Model& model, std::uint32_t module) {
    CKPT_TRY_VOID(model.check(module), &model == &pair_.reference ? "reference" : "candidate");
    requests.push_back({&model, module});
    return {};
  }

  std::vector<weights::Request> requests;

 private:
  const Pair& pair_;
};

constexpr std::string_view kPostNorm[] = {"post_attention_layernorm"};

}  // namespace

Result<std::uint32_t> layer_module(const Model& model, int layer, std::string_view name) {
  return module_index(model,
                      fmt::format("{}layers.{}.{}", model.blueprint().text_prefix(), layer, name));
}

Result<std::uint32_t> embedding_module(const Model& model) {
  return module_index(model, model.blueprint().text_prefix() + "embed_tokens");
}

Result<std::uint32_t> norm_module(const Model& model) {
  return module_index(model, model.blueprint().text_prefix() + "norm");
}

Result<std::uint32_t> head_module(const Model& model) {
  return model.config().text.tie_word_embeddings ? embedding_module(model)
                                                 : module_index(model, "lm_head");
}

std::vector<int> all_layers(const config::TextConfig& config) {
  std::vector<int> layers(config.layer_types.size());
  std::iota(layers.begin(), layers.end(), 0);
  return layers;
}

Result<std::vector<weights::Request>> layer_requests(const Pair& pair,
                                                     const config::TextConfig& config,
                                                     std::span<const int> layers, bool head) {
  Collector all(pair);
  for (const int layer : layers) {
    const config::LayerType type = config.layer_types[static_cast<std::size_t>(layer)];
    CKPT_TRY_VOID(all.both(layer, mixer_modules(type)), "weights");
    CKPT_TRY_VOID(all.both(layer, kPostNorm), "weights");
    CKPT_TRY_VOID(all.both(layer, config.moe ? moe_modules() : dense_modules()), "weights");
    if (config.moe) {
      CKPT_TRY_VOID(all.experts(layer, config.num_experts), "weights");
    }
  }
  if (!head) return std::move(all.requests);
  for (const Model* model : {&pair.reference, &pair.candidate}) {
    CKPT_TRY(const std::uint32_t norm, norm_module(*model), "weights");
    CKPT_TRY_VOID(all.add(*model, norm), "weights");
  }
  return std::move(all.requests);
}

Result<std::vector<weights::Request>> solo_requests(const Model& model,
                                                    const config::TextConfig& config) {
  const Pair pair{model, model};
  CKPT_TRY(const std::vector<weights::Request> both,
           layer_requests(pair, config, all_layers(config), true), "weights");
  // Each group of modules stands there once per side, one after the other.
  std::vector<weights::Request> out;
  std::size_t at = 0;
  const auto take = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) out.push_back(both[at + i]);
    at += 2 * count;
  };
  for (std::size_t layer = 0; layer < config.layer_types.size(); ++layer) {
    take(mixer_modules(config.layer_types[layer]).size());
    take(1);
    take(config.moe ? moe_modules().size() : dense_modules().size());
    const std::int64_t experts = config.moe ? config.num_experts : 0;
    for (std::int64_t e = 0; e < experts; ++e) take(3);
  }
  take(1);
  return out;
}

}  // namespace ckpt::forward
