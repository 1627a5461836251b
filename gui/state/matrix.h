#pragma once
// One tensor or weight seen as rows of numbers, read a block at a time.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "gui/state/session.h"

namespace ckpt::gui {

enum class Source : std::uint8_t { stored, decoded, reference, difference, relative, scale };
inline constexpr std::array<Source, 6> kSources{Source::stored,    Source::decoded,
                                                Source::reference, Source::difference,
                                                Source::relative,  Source::scale};
[[nodiscard]] std::string_view source_name(Source source);  ///< `relative difference`

/// A block of cells: rows [row, row_end), columns [column, column_end).
struct Block {
  std::uint64_t row = 0;
  std::uint64_t row_end = 0;
  std::uint64_t column = 0;
  std::uint64_t column_end = 0;

  [[nodiscard]] std::uint64_t cells() const { return (row_end - row) * (column_end - column); }
};

/// Numbers in rows and columns; axes after the first are joined. Immutable; reading is thread-safe.
class Matrix {
 public:
  Matrix(std::uint64_t rows, std::uint64_t columns) : rows_(rows), columns_(columns) {}

  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;
  virtual ~Matrix() = default;

  [[nodiscard]] std::uint64_t rows() const { return rows_; }

  [[nodiscard]] std::uint64_t columns() const { return columns_; }

  /// Fills `out` [block.row_end - block.row, block.column_end - block.column]. Errors: io, format;
  /// internal when the block lies outside.
  [[nodiscard]] Result<void> read(const Block& block, std::span<float> out) const;

  /// Of a block every `row_step`th row, from its first on: `out` [rows / row_step rounded up,
  /// columns]. Errors: as read().
  [[nodiscard]] Result<void> read_some(const Block& block, std::uint64_t row_step,
                                       std::span<float> out) const;

  /// Whether a few whole columns are cheaper to read than a few whole rows.
  [[nodiscard]] virtual bool by_columns() const { return false; }

  /// Bytes of the weight that are kept in memory.
  [[nodiscard]] virtual std::uint64_t held_bytes() const { return 0; }

  /// Rows that one read should take so that the bytes behind it stay within a few megabytes.
  [[nodiscard]] std::uint64_t rows_at_a_time(std::uint64_t columns) const;

 protected:
  [[nodiscard]] virtual Result<void> fill(const Block& block, std::span<float> out) const = 0;
  [[nodiscard]] virtual Result<void> fill_some(const Block& block, std::uint64_t row_step,
                                               std::span<float> out) const;

 private:
  std::uint64_t rows_;
  std::uint64_t columns_;
};

/// What the selection names, so that two equal ones show the same matrix.
struct MatrixId {
  Source source = Source::decoded;
  std::int32_t tensor = -1;
  std::int32_t module = -1;
  friend bool operator==(const MatrixId&, const MatrixId&) = default;
};

/// The matrix of a selection. A packed weight of at most `hold_bytes` is held in memory, of a
/// larger one the blocks that are asked for are read. The session outlives the matrix. Errors:
/// not_found (nothing selected, no reference), unsupported (a layout or dtype that cannot be read),
/// as Model::load.
[[nodiscard]] Result<std::shared_ptr<const Matrix>> open_matrix(
    const std::shared_ptr<const Session>& session, const MatrixId& id, std::uint64_t hold_bytes);

/// Everything known of one cell of a weight, for the tooltip.
struct CellFacts {
  std::uint64_t row = 0;
  std::uint64_t column = 0;
  float value = 0;
  std::optional<std::int64_t> code;  ///< stored code, packed weights only
  std::optional<float> zero;
  std::optional<float> scale;
  std::optional<std::uint64_t> group;
  std::optional<float> reference;
};

/// Reads one cell of a module's weight with its code, zero, scale and reference: for workers.
/// Errors: as open_matrix.
[[nodiscard]] Result<CellFacts> read_cell(const Session& session, std::int32_t module,
                                          std::uint64_t row, std::uint64_t column);

/// Where lines can be drawn between cells: after so many rows and columns, 0 for none. Groups of a
/// weight lie along its columns; experts that are stored as one tensor follow each other in its
/// rows.
struct Borders {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
};

[[nodiscard]] Borders borders_of(const Session& session, const MatrixId& id);

/// Weights along the inputs that share a scale, 0 without groups.
[[nodiscard]] std::uint64_t group_size_of(const Session& session, std::int32_t module);

}  // namespace ckpt::gui
