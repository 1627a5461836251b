#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/config/model_config.h"
#include "validator/container/checkpoint.h"
#include "validator/quant/codec.h"
#include "validator/quant/stored.h"
#include "validator/weights/parameter.h"

namespace ckpt::weights {

/// The weights of one checkpoint, module by module, whatever their spelling and format. Views the
/// four parts it is made of, which must outlive it. const methods are thread-safe.
class Model {
 public:
  Model(const container::Checkpoint& checkpoint, const config::ModelConfig& config,
        const arch::Blueprint& blueprint, const quant::StoredModel& stored)
      : checkpoint_(&checkpoint), config_(&config), blueprint_(&blueprint), stored_(&stored) {}

  [[nodiscard]] const arch::Blueprint& blueprint() const { return *blueprint_; }

  [[nodiscard]] const config::ModelConfig& config() const { return *config_; }

  /// Whether a module can be read: stored, in a format known here, with the shapes that its place
  /// asks for. Reads no weights. Errors: not_found, unsupported, format; each names the module.
  [[nodiscard]] Result<void> check(std::uint32_t module) const;

  /// Whether the weight is stored as plain floats, so that load_rows can read parts of it.
  [[nodiscard]] bool is_plain(std::uint32_t module) const {
    return stored_->modules[module].format == quant::Format::plain;
  }

  /// Bytes that load() will return, 0 when it would fail.
  [[nodiscard]] std::uint64_t bytes(std::uint32_t module) const;
  /// Reads one module's weight. Errors: as check(), and io.
  [[nodiscard]] Result<Parameter> load(std::uint32_t module) const;
  /// Reads rows [begin, end) of a plain weight. Errors: as load(); unsupported for packed ones.
  [[nodiscard]] Result<Parameter> load_rows(std::uint32_t module, std::uint64_t begin,
                                            std::uint64_t end) const;
  /// A module's bias [out] in f32. Errors: not_found, unsupported, format, io.
  [[nodiscard]] Result<std::vector<float>> load_bias(std::uint32_t module) const;
  /// Hint that a module will be loaded soon.
  void will_need(std::uint32_t module) const;

 private:
  [[nodiscard]] const container::Tensor* tensor(std::uint32_t module, quant::Member member) const;
  [[nodiscard]] Result<Parameter> load_packed(std::uint32_t module) const;
  [[nodiscard]] Result<quant::Codec> codec(std::uint32_t module) const;

  const container::Checkpoint* checkpoint_;
  const config::ModelConfig* config_;
  const arch::Blueprint* blueprint_;
  const quant::StoredModel* stored_;
};

}  // namespace ckpt::weights
