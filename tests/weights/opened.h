#pragma once
// A checkpoint of the golden data with everything a weights::Model needs.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "validator/weights/model.h"

namespace ckpt::weights::test {

inline std::string fixture_root() {
  return std::string(CKPT_FIXTURES) + "/golden";
}

inline std::optional<std::string> shared_root() {
  std::string root = std::string(CKPT_SOURCE) + "/../shared/golden";
  if (!std::filesystem::exists(root + "/models")) return std::nullopt;
  return root;
}

/// Not movable: the model views its members.
struct Opened {
  repo::Repo repo;
  container::Checkpoint checkpoint;
  config::ModelConfig config;
  arch::Blueprint blueprint;
  quant::StoredModel stored;
  Model model;

  Opened(repo::Repo r, const config::ModelConfig& c, arch::Blueprint b)
      : repo(std::move(r)),
        checkpoint(container::Checkpoint::open(repo)),
        config(c),
        blueprint(std::move(b)),
        stored(quant::match_stored(blueprint, checkpoint)),
        model(checkpoint, config, blueprint, stored) {}

  [[nodiscard]] std::uint32_t at(const std::string& name) const {
    return static_cast<std::uint32_t>(blueprint.find(name));
  }
};

/// The config must outlive the blueprint that points into it, so it is kept by the caller.
inline std::unique_ptr<Opened> open_model(const std::string& path, config::ModelConfig& config) {
  auto repo = repo::Repo::open(path);
  if (!repo) return nullptr;
  config = config::read_model_config(*repo);
  auto blueprint = arch::build_blueprint(config, 1'000'000);
  if (!blueprint) return nullptr;
  return std::make_unique<Opened>(*std::move(repo), config, *std::move(blueprint));
}

}  // namespace ckpt::weights::test
