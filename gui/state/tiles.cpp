#include "gui/state/tiles.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ckpt::gui {
namespace {

/// 0 numbers, 1 infinities, 2 NaN: the higher one is shown.
int rank(float x) {
  return std::isnan(x) ? 2 : std::isinf(x) ? 1 : 0;
}

void merge(float& into, float x, Reduce reduce) {
  const int a = rank(into);
  const int b = rank(x);
  if (a != b) {
    if (b > a) into = x;
    return;
  }
  if (a != 0) return;
  switch (reduce) {
    case Reduce::largest:
      if (std::abs(x) > std::abs(into)) into = x;
      break;
    case Reduce::mean:
      into += x;
      break;
    case Reduce::maximum:
      into = std::max(into, x);
      break;
    case Reduce::minimum:
      into = std::min(into, x);
      break;
  }
}

struct Area {
  Block cells;
  std::uint64_t step_y = 1;
  std::uint64_t step_x = 1;

  [[nodiscard]] std::uint64_t down() const { return cells.row_end - cells.row; }

  [[nodiscard]] std::uint64_t across() const { return cells.column_end - cells.column; }
};

Tile empty_tile(const Area& a) {
  Tile tile;
  tile.rows = static_cast<std::uint32_t>((a.down() + a.step_y - 1) / a.step_y);
  tile.columns = static_cast<std::uint32_t>((a.across() + a.step_x - 1) / a.step_x);
  tile.values.assign(std::size_t{tile.rows} * tile.columns, 0);
  return tile;
}

Area area_of(const Matrix& m, const TileKey& key) {
  Area area;
  area.step_y = 1ULL << key.level_y;
  area.step_x = 1ULL << key.level_x;
  const std::uint64_t high = area.step_y * kTileSide;
  const std::uint64_t wide = area.step_x * kTileSide;
  area.cells.row = std::min(key.y * high, m.rows());
  area.cells.row_end = std::min(area.cells.row + high, m.rows());
  area.cells.column = std::min(key.x * wide, m.columns());
  area.cells.column_end = std::min(area.cells.column + wide, m.columns());
  return area;
}

/// The order in which the largest magnitude is sought, NaN above infinities above numbers.
std::uint32_t magnitude(float x) {
  return std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFFU;
}

/// merge_row for the usual reduction, in which cells outnumber pixels by far.
void merge_largest(std::span<const float> cells, bool first_row, unsigned level_x,
                   std::span<float> pixels) {
  const std::uint64_t wide = 1ULL << level_x;
  for (std::uint64_t c = 0, x = 0; c < cells.size(); c += wide, ++x) {
    float best = first_row ? cells[c] : pixels[x];
    for (const float v : cells.subspan(c, std::min(wide, cells.size() - c))) {
      best = magnitude(v) > magnitude(best) ? v : best;
    }
    pixels[x] = best;
  }
}

/// Merges one row of cells into its row of pixels; the first row of a pixel sets it.
void merge_row(std::span<const float> cells, bool first_row, const TileKey& key,
               std::span<float> pixels) {
  if (key.reduce == Reduce::largest) {
    merge_largest(cells, first_row, key.level_x, pixels);
    return;
  }
  const std::uint64_t within = (1ULL << key.level_x) - 1;
  for (std::uint64_t c = 0; c < cells.size(); ++c) {
    float& pixel = pixels[c >> key.level_x];
    if (first_row && (c & within) == 0)
      pixel = cells[c];
    else
      merge(pixel, cells[c], key.reduce);
  }
}

/// Sums into means, by the cells that each pixel has.
void divide(Tile& tile, const Area& a, std::uint64_t down, std::uint64_t across) {
  for (std::uint32_t y = 0; y < tile.rows; ++y) {
    const std::uint64_t high = std::min(a.step_y, down - y * a.step_y);
    for (std::uint32_t x = 0; x < tile.columns; ++x) {
      const std::uint64_t wide = std::min(a.step_x, across - x * a.step_x);
      tile.values[std::size_t{y} * tile.columns + x] /= static_cast<float>(high * wide);
    }
  }
}

/// Cells that a sample reads, by rows: some megabytes.
constexpr std::uint64_t kSampledCells = 1ULL << 20;
/// Cells along the columns of a sample: a word is read for each, few are decoded.
constexpr std::uint64_t kColumnCells = 2ULL << 20;
/// Rows of a column that a pixel of a sample looks at.
constexpr std::uint64_t kRowsPerPixel = 4;

/// Pixels that one line of a sample stands for.
struct Stretch {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// Rows of cells, each of which stands for `skip` rows of pixels.
Result<void> sample_rows(const Matrix& matrix, const Area& a, const TileKey& key,
                         std::uint32_t skip, Tile& tile) {
  const std::uint64_t step = skip * a.step_y;
  std::vector<float> values((a.down() + step - 1) / step * a.across());
  CKPT_TRY_VOID(matrix.read_some(a.cells, step, values), "rows");
  const auto line = [&](std::uint32_t y) {
    return std::span(tile.values).subspan(std::size_t{y} * tile.columns, tile.columns);
  };
  for (std::uint32_t y = 0; y < tile.rows; ++y) {
    if (y % skip != 0) {
      std::ranges::copy(line(y - 1), line(y).begin());
      continue;
    }
    merge_row(std::span(values).subspan(y / skip * a.across(), a.across()), true, key, line(y));
    if (key.reduce != Reduce::mean) continue;
    for (std::uint32_t x = 0; x < tile.columns; ++x) {
      line(y)[x] /= static_cast<float>(std::min(a.step_x, a.across() - x * a.step_x));
    }
  }
  return {};
}

/// One column of cells into the columns of pixels `to`.
Result<void> sample_column(const Matrix& matrix, const Area& a, const TileKey& key,
                           const Stretch& to, Tile& tile) {
  const std::uint64_t step = std::max<std::uint64_t>(a.step_y / kRowsPerPixel, 1);
  const std::uint64_t per_pixel = a.step_y / step;
  std::vector<float> values((a.down() + step - 1) / step);
  const std::uint64_t column = a.cells.column + to.begin * a.step_x;
  CKPT_TRY_VOID(matrix.read_some({a.cells.row, a.cells.row_end, column, column + 1}, step, values),
                "column");
  for (std::uint32_t y = 0; y < tile.rows; ++y) {
    const std::uint64_t first = y * per_pixel;
    const std::uint64_t end = std::min<std::uint64_t>(first + per_pixel, values.size());
    float pixel = values[first];
    for (std::uint64_t i = first + 1; i < end; ++i) merge(pixel, values[i], key.reduce);
    if (key.reduce == Reduce::mean) pixel /= static_cast<float>(end - first);
    const std::size_t at = std::size_t{y} * tile.columns;
    std::fill(tile.values.begin() + static_cast<std::ptrdiff_t>(at + to.begin),
              tile.values.begin() + static_cast<std::ptrdiff_t>(at + to.end), pixel);
  }
  return {};
}

}  // namespace

std::string_view reduce_name(Reduce reduce) {
  switch (reduce) {
    case Reduce::largest:
      return "largest |x|";
    case Reduce::mean:
      return "mean";
    case Reduce::maximum:
      return "max";
    case Reduce::minimum:
      return "min";
  }
  return "";
}

std::uint64_t cells_of(const Matrix& matrix, const TileKey& key) {
  return area_of(matrix, key).cells.cells();
}

Result<Tile> make_tile(const Matrix& matrix, const TileKey& key, std::stop_token stop) {
  const Area a = area_of(matrix, key);
  const std::uint64_t across = a.across();
  const std::uint64_t down = a.down();
  Tile tile = empty_tile(a);
  const std::uint64_t at_a_time = matrix.rows_at_a_time(across);
  std::vector<float> values;
  for (std::uint64_t r = 0; r < down; r += at_a_time) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const std::uint64_t end = std::min(r + at_a_time, down);
    values.resize((end - r) * across);
    const Block block{a.cells.row + r, a.cells.row + end, a.cells.column, a.cells.column_end};
    CKPT_TRY_VOID(matrix.read(block, values), "tile");
    for (std::uint64_t i = r; i < end; ++i) {
      merge_row(std::span(values).subspan((i - r) * across, across), i % a.step_y == 0, key,
                std::span(tile.values).subspan((i / a.step_y) * tile.columns, tile.columns));
    }
  }
  if (key.reduce == Reduce::mean) divide(tile, a, down, across);
  return tile;
}

Result<Tile> sample_tile(const Matrix& matrix, const TileKey& key, std::stop_token stop) {
  const Area a = area_of(matrix, key);
  Tile tile = empty_tile(a);
  tile.sampled = true;
  if (tile.rows == 0 || tile.columns == 0) return tile;
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
  if (!matrix.by_columns()) {
    const std::uint64_t most = std::max<std::uint64_t>(kSampledCells / a.across(), 1);
    const auto skip = static_cast<std::uint32_t>((tile.rows + most - 1) / most);
    CKPT_TRY_VOID(sample_rows(matrix, a, key, skip, tile), "tile");
    return tile;
  }
  const auto n = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(kColumnCells / a.down(), 1, tile.columns));
  for (std::uint32_t i = 0; i < n; ++i) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const Stretch to{static_cast<std::uint32_t>(std::uint64_t{i} * tile.columns / n),
                     static_cast<std::uint32_t>((std::uint64_t{i} + 1) * tile.columns / n)};
    CKPT_TRY_VOID(sample_column(matrix, a, key, to, tile), "tile");
  }
  return tile;
}

TileKey further_out(const TileKey& key) {
  TileKey out = key;
  out.level_y = static_cast<std::uint8_t>(key.level_y + 2);
  out.level_x = static_cast<std::uint8_t>(key.level_x + 2);
  out.y /= 4;
  out.x /= 4;
  return out;
}

const Tile* TileStore::find(const TileKey& key) {
  const auto at = at_.find(key);
  if (at == at_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, at->second);
  return &at->second->tile;
}

void TileStore::put(const TileKey& key, Tile tile) {
  if (const auto at = at_.find(key); at != at_.end()) {
    bytes_ -= at->second->tile.bytes();
    by_use_.erase(at->second);
    at_.erase(at);
  }
  bytes_ += tile.bytes();
  by_use_.push_front({key, std::move(tile)});
  at_[key] = by_use_.begin();
  shrink();
}

void TileStore::set_limit(std::uint64_t bytes) {
  limit_ = bytes;
  shrink();
}

void TileStore::shrink() {
  while (bytes_ > limit_ && by_use_.size() > 1) {
    bytes_ -= by_use_.back().tile.bytes();
    at_.erase(by_use_.back().key);
    by_use_.pop_back();
  }
}

void TileStore::clear() {
  by_use_.clear();
  at_.clear();
  bytes_ = 0;
}

}  // namespace ckpt::gui
