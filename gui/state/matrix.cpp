#include "gui/state/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "validator/base/bits.h"
#include "validator/base/text.h"
#include "validator/quant/codec.h"
#include "validator/weights/parameter.h"

namespace ckpt::gui {
namespace {

/// Cells that one read of a long scan takes: 4 MiB of floats.
constexpr std::uint64_t kCellsAtATime = 1ULL << 20;

template <class T>
float as_float(const std::byte* p) {
  return static_cast<float>(load<T>(p));
}

/// One element of a dtype of whole bytes; empty for the others.
using Convert = float (*)(const std::byte*);

Convert converter(Dtype dtype) {
  switch (dtype) {
    case Dtype::boolean:
    case Dtype::u8:
      return as_float<std::uint8_t>;
    case Dtype::i8:
      return as_float<std::int8_t>;
    case Dtype::i16:
      return as_float<std::int16_t>;
    case Dtype::u16:
      return as_float<std::uint16_t>;
    case Dtype::i32:
      return as_float<std::int32_t>;
    case Dtype::u32:
      return as_float<std::uint32_t>;
    case Dtype::i64:
      return as_float<std::int64_t>;
    case Dtype::u64:
      return as_float<std::uint64_t>;
    case Dtype::f32:
      return as_float<float>;
    case Dtype::f64:
      return as_float<double>;
    case Dtype::bf16:
      return [](const std::byte* p) { return bf16_to_f32(load<std::uint16_t>(p)); };
    case Dtype::f16:
      return [](const std::byte* p) { return f16_to_f32(load<std::uint16_t>(p)); };
    case Dtype::f8_e4m3:
      return [](const std::byte* p) { return e4m3_to_f32(load<std::uint8_t>(p)); };
    case Dtype::f8_e5m2:
      return [](const std::byte* p) { return e5m2_to_f32(load<std::uint8_t>(p)); };
    case Dtype::f8_e8m0:
      return [](const std::byte* p) { return e8m0_to_f32(load<std::uint8_t>(p)); };
    default:
      return nullptr;
  }
}

struct Size {
  std::uint64_t rows = 1;
  std::uint64_t columns = 1;
};

/// Rows are all axes but the last.
Size size_of(ShapeView shape) {
  Size size;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) size.rows *= shape[i];
  if (!shape.empty()) size.columns = shape.back();
  return size;
}

/// Rows are the first axis, as Parameter has them.
Size weight_size(const Shape& shape) {
  Size size;
  if (!shape.empty()) size.rows = shape[0];
  for (std::size_t i = 1; i < shape.size(); ++i) size.columns *= shape[i];
  return size;
}

/// A tensor as it lies in the file: only the bytes of a block are read.
class StoredMatrix final : public Matrix {
 public:
  StoredMatrix(const container::Checkpoint& checkpoint, const container::Tensor& tensor, Size size,
               Convert convert)
      : Matrix(size.rows, size.columns),
        checkpoint_(checkpoint),
        tensor_(tensor),
        convert_(convert),
        width_(dtype_bits(tensor.dtype) / 8) {}

 protected:
  Result<void> fill(const Block& b, std::span<float> out) const override {
    return fill_some(b, 1, out);
  }

  Result<void> fill_some(const Block& b, std::uint64_t step, std::span<float> out) const override {
    const std::uint64_t first = (b.row * columns() + b.column) * width_;
    const std::uint64_t stride = step * columns() * width_;
    Bytes bytes(out.size() * width_);
    const std::uint64_t n = out.size() / (b.column_end - b.column);
    // Rows that follow each other are one read; of others a disk is asked for all before the first
    // is waited for.
    const std::uint64_t length = bytes.size() / n == stride ? bytes.size() : bytes.size() / n;
    const File& file = checkpoint_.shards()[tensor_.shard].file;
    for (std::uint64_t i = 0; length < bytes.size() && i < n; ++i) {
      file.will_need(tensor_.begin + first + i * stride, length);
    }
    for (std::uint64_t i = 0; i < bytes.size() / length; ++i) {
      CKPT_TRY_VOID(checkpoint_.read(tensor_, first + i * stride,
                                     std::span(bytes).subspan(i * length, length)),
                    shown(tensor_.name));
    }
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes.size(); i += width_) out[at++] = convert_(bytes.data() + i);
    return {};
  }

 private:
  const container::Checkpoint& checkpoint_;
  const container::Tensor& tensor_;
  Convert convert_;
  std::uint64_t width_;
};

/// A plain weight inside a joined or stacked tensor: whole rows are read.
class RowsMatrix final : public Matrix {
 public:
  RowsMatrix(const weights::Model& model, std::uint32_t module, Size size)
      : Matrix(size.rows, size.columns), model_(model), module_(module) {}

 protected:
  Result<void> fill(const Block& b, std::span<float> out) const override {
    CKPT_TRY(const weights::Parameter p, model_.load_rows(module_, b.row, b.row_end), "weight");
    std::vector<float> row(columns());
    for (std::uint64_t r = 0; r < b.row_end - b.row; ++r) {
      CKPT_TRY_VOID(p.decode(r, r + 1, row), "weight");
      std::copy(row.begin() + static_cast<std::ptrdiff_t>(b.column),
                row.begin() + static_cast<std::ptrdiff_t>(b.column_end),
                out.begin() + static_cast<std::ptrdiff_t>(r * (b.column_end - b.column)));
    }
    return {};
  }

 private:
  const weights::Model& model_;
  std::uint32_t module_;
};

/// Copies columns [column, column + across) of decoded rows.
void copy_columns(std::span<const float> row, std::uint64_t column, std::span<float> to) {
  std::ranges::copy(row.subspan(column, to.size()), to.begin());
}

/// A small packed weight, held as stored and decoded by rows.
class HeldMatrix final : public Matrix {
 public:
  HeldMatrix(weights::Parameter parameter, Size size)
      : Matrix(size.rows, size.columns), parameter_(std::move(parameter)) {}

  [[nodiscard]] std::uint64_t held_bytes() const override { return parameter_.bytes(); }

 protected:
  Result<void> fill(const Block& b, std::span<float> out) const override {
    const std::uint64_t across = b.column_end - b.column;
    if (across == columns()) return parameter_.decode(b.row, b.row_end, out);
    std::vector<float> row(columns());
    for (std::uint64_t r = b.row; r < b.row_end; ++r) {
      CKPT_TRY_VOID(parameter_.decode(r, r + 1, row), "weight");
      copy_columns(row, b.column, out.subspan((r - b.row) * across, across));
    }
    return {};
  }

 private:
  weights::Parameter parameter_;
};

/// Numbers of a packed weight, of which the blocks that are asked for are read.
class PackedBlocks : public Matrix {
 public:
  PackedBlocks(const weights::Model& model, std::uint32_t module, Size size)
      : Matrix(size.rows, size.columns),
        model_(model),
        module_(module),
        by_columns_(model.by_columns(module)) {}

  [[nodiscard]] bool by_columns() const override { return by_columns_; }

 protected:
  Result<void> fill(const Block& b, std::span<float> out) const override {
    return fill_some(b, 1, out);
  }

  Result<void> fill_some(const Block& b, std::uint64_t step, std::span<float> out) const override {
    CKPT_TRY(const weights::Part part,
             model_.load_block(module_, {b.row, b.row_end, b.column, b.column_end}), "weight");
    return fill_from(part, b, step, out);
  }

  /// Every `step`th row of `b`, which `part` holds.
  virtual Result<void> fill_from(const weights::Part& part, const Block& b, std::uint64_t step,
                                 std::span<float> out) const = 0;

 private:
  const weights::Model& model_;
  std::uint32_t module_;
  bool by_columns_;
};

/// A large packed weight, decoded block by block.
class PackedMatrix final : public PackedBlocks {
 public:
  using PackedBlocks::PackedBlocks;

 protected:
  Result<void> fill_from(const weights::Part& part, const Block& b, std::uint64_t step,
                         std::span<float> out) const override {
    const weights::Parameter& p = part.weight;
    const std::uint64_t across = b.column_end - b.column;
    std::vector<float> row(p.row_size());
    std::uint64_t at = 0;
    for (std::uint64_t r = b.row; r < b.row_end; r += step, at += across) {
      CKPT_TRY_VOID(p.decode(r - part.row, r - part.row + 1, row), "weight");
      copy_columns(row, b.column - part.column, out.subspan(at, across));
    }
    return {};
  }
};

class DifferenceMatrix final : public Matrix {
 public:
  DifferenceMatrix(std::shared_ptr<const Matrix> candidate, std::shared_ptr<const Matrix> reference,
                   bool relative)
      : Matrix(candidate->rows(), candidate->columns()),
        candidate_(std::move(candidate)),
        reference_(std::move(reference)),
        relative_(relative) {}

  [[nodiscard]] bool by_columns() const override {
    return candidate_->by_columns() || reference_->by_columns();
  }

  [[nodiscard]] std::uint64_t held_bytes() const override {
    return candidate_->held_bytes() + reference_->held_bytes();
  }

 protected:
  Result<void> fill(const Block& b, std::span<float> out) const override {
    std::vector<float> reference(out.size());
    CKPT_TRY_VOID(candidate_->read(b, out), "candidate");
    CKPT_TRY_VOID(reference_->read(b, reference), "reference");
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] -= reference[i];
      // Equal values differ by nothing, also where both are 0.
      if (relative_ && out[i] != 0) out[i] /= std::abs(reference[i]);
    }
    return {};
  }

 private:
  std::shared_ptr<const Matrix> candidate_;
  std::shared_ptr<const Matrix> reference_;
  bool relative_;
};

float scale_at(const weights::Parameter& p, std::uint64_t row, std::uint64_t group) {
  const quant::Layout& l = p.layout;
  const Convert convert = converter(l.scale_dtype);
  const std::uint64_t width = dtype_bits(l.scale_dtype) / 8;
  const std::uint64_t r = row / std::max<std::uint64_t>(l.rows_per_scale, 1);
  const std::uint64_t i = l.scales_row_is_out ? r * l.groups + group : group * l.scale_rows() + r;
  if (convert == nullptr || (i + 1) * width > p.scales.size()) return std::nanf("");
  const float scale = convert(p.scales.data() + i * width);
  return l.factor_divides ? scale / l.scale_factor : scale * l.scale_factor;
}

std::uint64_t group_of(const weights::Parameter& p, std::uint64_t column) {
  if (!p.g_idx.empty()) return load<std::uint32_t>(p.g_idx.data() + 4 * column);
  return p.layout.group_size == 0 ? 0 : column / p.layout.group_size;
}

/// The scale of every cell's group, in the coordinates of the weight.
class ScaleMatrix final : public PackedBlocks {
 public:
  using PackedBlocks::PackedBlocks;

 protected:
  Result<void> fill_from(const weights::Part& part, const Block& b, std::uint64_t step,
                         std::span<float> out) const override {
    std::size_t at = 0;
    for (std::uint64_t r = b.row; r < b.row_end; r += step) {
      for (std::uint64_t c = b.column; c < b.column_end; ++c) {
        out[at++] = scale_at(part.weight, r - part.row, group_of(part.weight, c - part.column));
      }
    }
    return {};
  }
};

using Opened = Result<std::shared_ptr<const Matrix>>;

Opened open_stored(const pipeline::OpenedRepo& repo, std::int32_t tensor) {
  const container::Tensor& t = repo.checkpoint.tensors()[static_cast<std::size_t>(tensor)];
  const Convert convert = converter(t.dtype);
  if (convert == nullptr) {
    return fail(ErrorKind::unsupported, fmt::format("{}: cells of dtype {} are not shown",
                                                    shown(t.name), dtype_name(t.dtype)));
  }
  return std::make_shared<StoredMatrix>(repo.checkpoint, t, size_of(t.shape), convert);
}

Opened open_weight(const pipeline::OpenedRepo& repo, const weights::Model& model,
                   std::int32_t module, std::uint64_t hold_bytes) {
  const auto m = static_cast<std::uint32_t>(module);
  CKPT_TRY_VOID(model.check(m), "weight");
  const Size size = weight_size(model.blueprint().modules()[m].shape);
  const std::int32_t t = repo.stored.modules[m].at(quant::Member::weight);
  if (model.is_plain(m)) {
    const container::Tensor& tensor = repo.checkpoint.tensors()[static_cast<std::size_t>(t)];
    if (tensor.shape == ShapeView(model.blueprint().modules()[m].shape)) {
      return std::make_shared<StoredMatrix>(repo.checkpoint, tensor, size, converter(tensor.dtype));
    }
    return std::make_shared<RowsMatrix>(model, m, size);
  }
  if (model.bytes(m) > hold_bytes) return std::make_shared<PackedMatrix>(model, m, size);
  CKPT_TRY(weights::Parameter p, model.load(m), "weight");
  return std::make_shared<HeldMatrix>(std::move(p), size);
}

Opened open_scale(const weights::Model& model, std::int32_t module) {
  const auto m = static_cast<std::uint32_t>(module);
  if (model.is_plain(m))
    return fail(ErrorKind::unsupported, "a weight at 16 or 32 bits has no scales");
  CKPT_TRY_VOID(model.check(m), "weight");
  return std::make_shared<ScaleMatrix>(model, m, weight_size(model.blueprint().modules()[m].shape));
}

/// Value, group, scale, code and zero of the cell that `facts` names.
Result<void> read_packed_cell(const weights::Model& model, std::uint32_t module, CellFacts& facts) {
  CKPT_TRY(weights::Part part,
           model.load_block(module, {facts.row, facts.row + 1, facts.column, facts.column + 1}),
           "weight");
  weights::Parameter& p = part.weight;
  const std::uint64_t row = facts.row - part.row;
  const std::uint64_t column = facts.column - part.column;
  std::vector<float> line(p.row_size());
  CKPT_TRY_VOID(p.decode(row, row + 1, line), "weight");
  facts.value = line[column];
  const std::uint64_t group = group_of(p, column);
  facts.group = part.group + group;
  facts.scale = scale_at(p, row, group);
  // With a scale of 1, one group and no zero point, decoding gives the code itself.
  const int offset = p.layout.code_offset;
  quant::Layout& l = p.layout;
  l.has_zeros = false;
  l.code_offset = 0;
  l.scale_factor = 1;
  l.scale_dtype = Dtype::f32;
  l.rows_per_scale = l.n;
  l.groups = 1;
  l.group_size = l.k;
  const float one = 1;
  const auto bytes = std::as_bytes(std::span(&one, 1));
  p.scales.assign(bytes.begin(), bytes.end());
  p.zeros.clear();
  p.g_idx.clear();
  CKPT_TRY_VOID(p.decode(row, row + 1, line), "code");
  if (l.element == quant::Element::code || l.element == quant::Element::i8) {
    facts.code = static_cast<std::int64_t>(line[column]);
  }
  if (*facts.scale != 0) {
    facts.zero = std::round(line[column] - static_cast<float>(offset) - facts.value / *facts.scale);
  }
  return {};
}

}  // namespace

std::string_view source_name(Source source) {
  switch (source) {
    case Source::stored:
      return "stored words";
    case Source::decoded:
      return "decoded";
    case Source::reference:
      return "reference";
    case Source::difference:
      return "difference";
    case Source::relative:
      return "relative difference";
    case Source::scale:
      return "group scale";
  }
  return "";
}

Result<void> Matrix::read(const Block& b, std::span<float> out) const {
  if (b.row > b.row_end || b.row_end > rows_ || b.column > b.column_end ||
      b.column_end > columns_ || out.size() != b.cells()) {
    return fail(ErrorKind::internal, "a block outside of its matrix");
  }
  if (out.empty()) return {};
  return fill(b, out);
}

Result<void> Matrix::read_some(const Block& b, std::uint64_t row_step, std::span<float> out) const {
  if (row_step == 0 || b.row > b.row_end || b.row_end > rows_ || b.column > b.column_end ||
      b.column_end > columns_ ||
      out.size() != (b.row_end - b.row + row_step - 1) / row_step * (b.column_end - b.column)) {
    return fail(ErrorKind::internal, "a block outside of its matrix");
  }
  if (out.empty()) return {};
  return fill_some(b, row_step, out);
}

Result<void> Matrix::fill_some(const Block& b, std::uint64_t row_step, std::span<float> out) const {
  const std::uint64_t across = b.column_end - b.column;
  std::uint64_t at = 0;
  for (std::uint64_t r = b.row; r < b.row_end; r += row_step, at += across) {
    CKPT_TRY_VOID(fill({r, r + 1, b.column, b.column_end}, out.subspan(at, across)), "rows");
  }
  return {};
}

std::uint64_t Matrix::rows_at_a_time(std::uint64_t columns) const {
  const std::uint64_t most = by_columns() ? 8192 : 256;
  return std::clamp<std::uint64_t>(kCellsAtATime / std::max<std::uint64_t>(columns, 1), 1, most);
}

Opened open_matrix(const std::shared_ptr<const Session>& session, const MatrixId& id,
                   std::uint64_t hold_bytes) {
  const pipeline::OpenedRepo* repo = session->candidate();
  if (repo == nullptr) return fail(ErrorKind::not_found, "no checkpoint is open, only results");
  if (id.source == Source::stored) {
    if (id.tensor < 0) return fail(ErrorKind::not_found, "no tensor is selected");
    return open_stored(*repo, id.tensor);
  }
  if (id.module < 0 || session->model() == nullptr) {
    if (id.source == Source::decoded && id.tensor >= 0) return open_stored(*repo, id.tensor);
    return fail(ErrorKind::not_found, "the selection is no weight of a known architecture");
  }
  if (id.source == Source::decoded) {
    return open_weight(*repo, *session->model(), id.module, hold_bytes);
  }
  if (id.source == Source::scale) return open_scale(*session->model(), id.module);
  const std::int32_t there = session->reference_module(id.module);
  if (session->reference_model() == nullptr || there < 0) {
    return fail(ErrorKind::not_found, session->reference() == nullptr
                                          ? "no reference is open; start with --reference TARGET"
                                          : "the reference has no such weight");
  }
  CKPT_TRY(auto reference,
           open_weight(*session->reference(), *session->reference_model(), there, hold_bytes),
           "reference");
  if (id.source == Source::reference) return reference;
  CKPT_TRY(auto candidate, open_weight(*repo, *session->model(), id.module, hold_bytes),
           "candidate");
  if (candidate->rows() != reference->rows() || candidate->columns() != reference->columns()) {
    return fail(ErrorKind::format,
                fmt::format("{} x {} here, {} x {} in the reference", candidate->rows(),
                            candidate->columns(), reference->rows(), reference->columns()));
  }
  return std::make_shared<DifferenceMatrix>(std::move(candidate), std::move(reference),
                                            id.source == Source::relative);
}

Result<CellFacts> read_cell(const Session& session, std::int32_t module, std::uint64_t row,
                            std::uint64_t column) {
  const weights::Model* model = session.model();
  if (model == nullptr || module < 0) return fail(ErrorKind::not_found, "no weight is selected");
  const auto m = static_cast<std::uint32_t>(module);
  CellFacts facts{.row = row, .column = column};
  const Size size = weight_size(model->blueprint().modules()[m].shape);
  if (row >= size.rows || column >= size.columns) {
    return fail(ErrorKind::not_found, fmt::format("no cell {}, {}", row, column));
  }
  if (model->is_plain(m)) {
    std::vector<float> line(size.columns);
    CKPT_TRY(const auto p, model->load_rows(m, row, row + 1), "weight");
    CKPT_TRY_VOID(p.decode(0, 1, line), "weight");
    facts.value = line[column];
  } else {
    CKPT_TRY_VOID(read_packed_cell(*model, m, facts), "weight");
  }
  const std::int32_t there = session.reference_module(module);
  if (there < 0 || session.reference_model() == nullptr) return facts;
  const auto r = static_cast<std::uint32_t>(there);
  if (!session.reference_model()->is_plain(r)) return facts;
  const auto p = session.reference_model()->load_rows(r, row, row + 1);
  std::vector<float> line(size.columns);
  if (!p || p->row_size() != line.size() || !p->decode(0, 1, line)) return facts;
  facts.reference = line[column];
  return facts;
}

std::uint64_t group_size_of(const Session& session, std::int32_t module) {
  if (session.candidate() == nullptr || module < 0) return 0;
  const auto& stored = session.candidate()->stored.modules[static_cast<std::size_t>(module)];
  return stored.group_size > 0 ? static_cast<std::uint64_t>(stored.group_size) : 0;
}

Borders borders_of(const Session& session, const MatrixId& id) {
  // Words of a packed weight hold several of its cells: no group ends where a column does.
  if (id.source != Source::stored) return {0, group_size_of(session, id.module)};
  if (session.candidate() == nullptr || id.tensor < 0) return {};
  const auto& shape =
      session.candidate()->checkpoint.tensors()[static_cast<std::size_t>(id.tensor)].shape;
  const bool experts = shape.size() == 3 && shape[0] > 1;
  return {experts ? shape[1] : 0, 0};
}

}  // namespace ckpt::gui
