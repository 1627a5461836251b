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

/// Rows [row, row_end) and columns [column, column_end) of a weight.
struct Block {
  std::uint64_t row = 0;
  std::uint64_t row_end = 0;
  std::uint64_t column = 0;
  std::uint64_t column_end = 0;
};

/// A part of a weight: `weight` holds its rows from `row` on and its columns from `column` on.
struct Part {
  Parameter weight;
  std::uint64_t row = 0;
  std::uint64_t column = 0;
  std::uint64_t group = 0;  ///< number that its first group has in the whole weight
};

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
  /// Reads what of a packed weight holds `block`, and little more: words, zeros and scales that it
  /// shares with its neighbours come along. Errors: as load(); unsupported for plain
  /// ones, internal for an empty block.
  [[nodiscard]] Result<Part> load_block(std::uint32_t module, const Block& block) const;
  /// Whether the words of a packed weight lie column by column, so that a few whole columns are
  /// cheaper to read than a few whole rows.
  [[nodiscard]] bool by_columns(std::uint32_t module) const;
  /// A module's bias [out] in f32. Errors: not_found, unsupported, format, io.
  [[nodiscard]] Result<std::vector<float>> load_bias(std::uint32_t module) const;
  /// Hint that a module will be loaded soon.
  void will_need(std::uint32_t module) const;

 private:
  [[nodiscard]] const container::Tensor* tensor(std::uint32_t module, quant::Member member) const;
  [[nodiscard]] Result<Bytes> load_groups(std::uint32_t module, const quant::Layout& layout) const;
  [[nodiscard]] Result<quant::Codec> codec(std::uint32_t module) const;

  const container::Checkpoint* checkpoint_;
  const config::ModelConfig* config_;
  const arch::Blueprint* blueprint_;
  const quant::StoredModel* stored_;
};

}  // namespace ckpt::weights
