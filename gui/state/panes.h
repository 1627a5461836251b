#pragma once
// The matrices on show: opened, counted and cut into tiles by workers, within a bound of memory.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gui/state/census.h"
#include "gui/state/viewport.h"
#include "gui/state/workers.h"

namespace ckpt::gui {

/// One matrix on show. `matrix`, `census` and `error` are filled when a worker has them.
struct Pane {
  MatrixId id;
  std::uint64_t number = 0;
  std::shared_ptr<const Matrix> matrix;
  std::shared_ptr<const Census> census;
  std::string error;           ///< safe to show
  std::uint64_t revision = 0;  ///< grows with each tile or fact that arrives
  Viewport drawn;              ///< how it was drawn last
  PixelSize drawn_size;
  Reduce drawn_reduce = Reduce::largest;

  /// Bytes that stay in memory for it, its tiles left out.
  [[nodiscard]] std::uint64_t bytes() const;
};

/// What a picture of a pane is made of.
struct PictureArgs {
  Viewport view;
  PixelSize size;
  Reduce reduce = Reduce::largest;
  Coloring coloring;
};

/// Keeps panes for the way back, and tiles, together up to a number of bytes. One thread; workers
/// hand over through `deliver`, which runs what it is given in that thread, and call `wake`.
class Panes {
 public:
  using Deliver = std::function<void(std::function<void()>)>;

  Panes(std::uint64_t limit_bytes, Workers& workers, Deliver deliver, std::function<void()> wake);

  /// The pane of a matrix, made and asked for when it is new.
  Pane& get(const std::shared_ptr<const Session>& session, const MatrixId& id);
  /// Draws a pane and asks for the tiles that the picture lacks; earlier wishes of the same pane
  /// that the picture does not need are dropped.
  [[nodiscard]] Picture draw(const Pane& pane, const PictureArgs& args);

  /// Stops all work for tiles.
  void cancel_tiles();
  /// The same, and forgets panes that are not finished: they are made again when they are next
  /// shown.
  void drop_unfinished();
  void clear();

  [[nodiscard]] TileStore& tiles() { return tiles_; }

  [[nodiscard]] const TileStore& tiles() const { return tiles_; }

  /// Bytes that panes and tiles keep.
  [[nodiscard]] std::uint64_t bytes() const;

  [[nodiscard]] std::uint64_t limit() const { return limit_; }

 private:
  using Shared = std::shared_ptr<Pane>;

  void ask_for(const Shared& pane, const std::shared_ptr<const Session>& session);
  void ask_for_tile(const Shared& pane, const TileKey& key, Work group, bool sample);
  void drop_wishes(const Pane& pane, const std::vector<TileKey>& wanted);
  void keep_limit();

  std::uint64_t limit_;
  Workers& workers_;
  Deliver deliver_;
  std::function<void()> wake_;
  TileStore tiles_;
  std::vector<Shared> panes_;  ///< the latest first
  std::uint64_t next_ = 1;

  /// Asked for since the view changed: a tile that has come and gone again is not asked for twice,
  /// or a picture larger than the bound would be read for ever.
  struct Wish {
    std::stop_source stop;
    bool here = false;
  };

  std::map<TileKey, Wish> wishes_;
};

}  // namespace ckpt::gui
