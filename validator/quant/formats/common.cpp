#include "validator/quant/formats/common.h"

#include <array>

namespace ckpt::quant {

namespace {

/// Rows that share a scale when N outputs have `rows` of them: the config's block, the usual 128,
/// or an even cut; 0 when none fits. The grid is ceil-divided (formats, 6.2).
std::uint64_t block_rows(std::uint64_t n, std::uint64_t rows, const config::QuantConfig* quant) {
  std::array<std::uint64_t, 2> sizes{0, 128};
  if (quant != nullptr && !quant->weight_block_size.empty() && quant->weight_block_size[0] > 0) {
    sizes[0] = static_cast<std::uint64_t>(quant->weight_block_size[0]);
  }
  for (const std::uint64_t size : sizes) {
    if (size > 0 && (n + size - 1) / size == rows) return size;
  }
  return n % rows == 0 ? n / rows : 0;
}

/// The same along the inputs.
std::uint64_t block_columns(std::uint64_t k, std::uint64_t columns,
                            const config::QuantConfig* quant) {
  std::array<std::uint64_t, 2> sizes{0, 128};
  if (quant != nullptr && quant->weight_block_size.size() > 1 && quant->weight_block_size[1] > 0) {
    sizes[0] = static_cast<std::uint64_t>(quant->weight_block_size[1]);
  }
  for (const std::uint64_t size : sizes) {
    if (size > 0 && (k + size - 1) / size == columns) return size;
  }
  return k % columns == 0 ? k / columns : 0;
}

}  // namespace

Result<void> set_scale_grid(const PackedModule& p, Member member, Layout& l) {
  const ShapeView shape = p.shape(member);
  std::uint64_t rows = 1;
  std::uint64_t columns = 1;
  if (!shape.empty()) rows = shape[0];
  if (shape.size() > 1) columns = shape[1];
  // A joined weight's rows are both halves'; a single scale serves both.
  if (p.stored.joined && rows > 1) rows /= 2;
  const auto refuse = [&] {
    return fail(ErrorKind::format, fmt::format("{}: a scale grid of [{}] over [{}, {}]",
                                               p.module.name, fmt::join(shape, ", "), l.n, l.k));
  };
  if (rows == 0 || columns == 0 || shape.size() > 2 || rows > l.n || columns > l.k) return refuse();
  l.scales_row_is_out = true;
  l.groups = columns;
  l.rows_per_scale = rows == l.n ? 1 : block_rows(l.n, rows, p.quant);
  if (rows == l.n && columns > 1) {
    CKPT_TRY(l.group_size, p.group_size(columns), "scales");
  } else {
    l.group_size = columns == 1 ? l.k : block_columns(l.k, columns, p.quant);
  }
  if (l.rows_per_scale == 0 || l.group_size == 0) return refuse();
  // A grid over the joined rows and two grids one after the other look the same then.
  if (p.stored.joined && l.rows_per_scale > 1 && rows > 1 && l.n % l.rows_per_scale != 0) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: {} joined rows do not end on a block of {}", p.module.name, l.n,
                            l.rows_per_scale));
  }
  return {};
}

}  // namespace ckpt::quant
