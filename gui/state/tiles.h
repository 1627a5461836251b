#pragma once
// Tiles of a matrix at any reduction, and the bounded store that keeps them.

#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "gui/state/matrix.h"

namespace ckpt::gui {

inline constexpr std::uint64_t kTileSide = 256;

/// Which of a pixel's cells it shows.
enum class Reduce : std::uint8_t { largest, mean, maximum, minimum };
[[nodiscard]] std::string_view reduce_name(Reduce reduce);

/// A tile: 256 x 256 pixels of 2^level_y x 2^level_x cells each.
struct TileKey {
  std::uint64_t matrix = 0;  ///< number of the matrix, never reused
  Reduce reduce = Reduce::largest;
  std::uint8_t level_y = 0;
  std::uint8_t level_x = 0;
  std::uint64_t y = 0;  ///< in tiles
  std::uint64_t x = 0;
  friend auto operator<=>(const TileKey&, const TileKey&) = default;
};

struct Tile {
  std::uint32_t rows = 0;  ///< pixels inside the matrix
  std::uint32_t columns = 0;
  bool sampled = false;       ///< from some of the cells only
  std::vector<float> values;  ///< [rows, columns]

  [[nodiscard]] std::uint64_t bytes() const { return values.size() * sizeof(float) + 128; }
};

/// Reads and reduces one tile. NaN wins over infinities, and they over numbers, so that one of them
/// stays visible however far out. Errors: as Matrix::read, cancelled.
[[nodiscard]] Result<Tile> make_tile(const Matrix& matrix, const TileKey& key,
                                     std::stop_token stop);

/// The same from a part of the cells that is read in a moment, some rows or, where those are
/// cheaper, some columns; what lies between shows its neighbour.
[[nodiscard]] Result<Tile> sample_tile(const Matrix& matrix, const TileKey& key,
                                       std::stop_token stop);

/// The tile two levels further out that holds a tile: one picture of a large matrix is few of
/// those.
[[nodiscard]] TileKey further_out(const TileKey& key);

/// Cells that a tile stands for at most: above some millions a sample is worth its while.
[[nodiscard]] std::uint64_t cells_of(const Matrix& matrix, const TileKey& key);

/// Tiles up to a number of bytes; the one longest unused goes first. One thread.
class TileStore {
 public:
  explicit TileStore(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  /// The tile, which counts as used now; null when it is not there.
  [[nodiscard]] const Tile* find(const TileKey& key);
  void put(const TileKey& key, Tile tile);
  void clear();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  [[nodiscard]] std::uint64_t limit() const { return limit_; }

  void set_limit(std::uint64_t bytes);

 private:
  struct Kept {
    TileKey key;
    Tile tile;
  };

  void shrink();

  std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
  std::list<Kept> by_use_;  ///< the latest first
  std::map<TileKey, std::list<Kept>::iterator> at_;
};

}  // namespace ckpt::gui
