#pragma once

#include <memory>
#include <optional>
#include <string>

#include "validator/arch/blueprint.h"
#include "validator/config/model_config.h"
#include "validator/container/checkpoint.h"
#include "validator/quant/stored.h"
#include "validator/repo/repo.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

/// One target, opened: its files, headers, config, and, when the architecture is known, its
/// blueprint with what is stored for each module. Not movable: the blueprint points into the
/// config.
struct OpenedRepo {
  explicit OpenedRepo(repo::Repo opened);
  OpenedRepo(const OpenedRepo&) = delete;
  OpenedRepo& operator=(const OpenedRepo&) = delete;

  repo::Repo repo;
  container::Checkpoint checkpoint;
  config::ModelConfig config;
  std::optional<arch::Blueprint> blueprint;
  Error blueprint_error;
  quant::StoredModel stored;
};

/// Opens a target as the user typed it. Errors: as Repo::open.
[[nodiscard]] Result<std::unique_ptr<OpenedRepo>> open_target(const std::string& target);
[[nodiscard]] Result<std::unique_ptr<OpenedRepo>> open_target(const std::string& target,
                                                              const repo::HubOptions& hub);

/// The identity block of the results.
[[nodiscard]] results::CheckpointFacts facts_of(const OpenedRepo& opened);
[[nodiscard]] results::Target target_of(const OpenedRepo& opened);

}  // namespace ckpt::pipeline
