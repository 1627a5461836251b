#include "gui/state/panes.h"

#include <fmt/format.h>

#include <algorithm>

namespace ckpt::gui {
namespace {

/// Matrices whose facts are kept for the way back.
constexpr std::size_t kPanes = 12;
/// Panes that can be on show at once: those of a comparison and the inspector's.
constexpr std::size_t kOnShow = 4;
/// Up to here a tile is read in a moment; a larger one is sampled first.
constexpr std::uint64_t kQuickCells = 1ULL << 20;

}  // namespace

std::uint64_t Pane::bytes() const {
  std::uint64_t n = matrix == nullptr ? 0 : matrix->held_bytes();
  if (census != nullptr) {
    n += census->bins.size() * sizeof census->bins[0] + census->specials.size() * sizeof(Cell);
  }
  return n;
}

Panes::Panes(std::uint64_t limit_bytes, Workers& workers, Deliver deliver,
             std::function<void()> wake)
    : limit_(limit_bytes),
      workers_(workers),
      deliver_(std::move(deliver)),
      wake_(std::move(wake)),
      tiles_(limit_bytes) {}

Pane& Panes::get(const std::shared_ptr<const Session>& session, const MatrixId& id) {
  const auto at = std::ranges::find_if(panes_, [&](const auto& p) { return p->id == id; });
  if (at != panes_.end()) {
    std::rotate(panes_.begin(), at, at + 1);
    return *panes_.front();
  }
  auto made = std::make_shared<Pane>();
  made->id = id;
  made->number = next_++;
  panes_.insert(panes_.begin(), made);
  if (panes_.size() > kPanes) panes_.pop_back();
  if (session != nullptr) ask_for(made, session);
  return *made;
}

void Panes::ask_for(const Shared& pane, const std::shared_ptr<const Session>& session) {
  const auto title = fmt::format("reading values ({})", source_name(pane->id.source));
  const auto count = [this, pane](const Result<Census>& census) {
    if (!census && census.error().kind == ErrorKind::cancelled) return;
    deliver_([this, pane, census] {
      ++pane->revision;
      if (census)
        pane->census = std::make_shared<const Census>(*census);
      else
        pane->error = census.error().message;
      keep_limit();
    });
  };
  // A share of the bound that leaves room for tiles when several panes are on show.
  const std::uint64_t hold = limit_ / 32;
  workers_.submit(
      Work::tiles, title,
      [this, pane, hold, title, count, id = pane->id, session](const std::stop_token& stop) {
        auto matrix = open_matrix(session, id, hold);
        if (!matrix) {
          deliver_([pane, text = matrix.error().message] { pane->error = text; });
          return;
        }
        deliver_([this, pane, m = *matrix] {
          pane->matrix = m;
          ++pane->revision;
          keep_limit();
        });
        if ((*matrix)->rows() * (*matrix)->columns() > kQuickCells)
          count(take_sample(**matrix, stop));
        if (stop.stop_requested()) return;
        workers_.submit(
            Work::census, title,
            [count, session, m = *matrix](const std::stop_token& s) { count(take_census(*m, s)); });
      });
}

Picture Panes::draw(const Pane& pane, const PictureArgs& args) {
  const auto at = std::ranges::find_if(panes_, [&](const auto& p) { return p.get() == &pane; });
  if (pane.matrix == nullptr || at == panes_.end()) return {};
  const Shared shared = *at;
  std::vector<std::pair<TileKey, bool>> lacking;
  Picture picture =
      compose({*pane.matrix, pane.number, args.view, args.size, args.reduce, args.coloring, tiles_,
               [&](const TileKey& key, bool blank) { lacking.emplace_back(key, blank); }});
  std::vector<TileKey> wanted;
  for (const auto& [key, blank] : lacking) {
    wanted.push_back(key);
    wanted.push_back(further_out(key));
  }
  if (pane.drawn != args.view || pane.drawn_size != args.size || pane.drawn_reduce != args.reduce) {
    drop_wishes(pane, wanted);
    shared->drawn = args.view;
    shared->drawn_size = args.size;
    shared->drawn_reduce = args.reduce;
  }
  for (const auto& [key, blank] : lacking) {
    const bool quick = cells_of(*pane.matrix, key) <= kQuickCells;
    if (!quick && blank) ask_for_tile(shared, further_out(key), Work::tiles, true);
    ask_for_tile(shared, key, quick ? Work::tiles : Work::refine, false);
  }
  return picture;
}

void Panes::drop_wishes(const Pane& pane, const std::vector<TileKey>& wanted) {
  std::erase_if(wishes_, [&](auto& entry) {
    auto& [key, wish] = entry;
    if (key.matrix != pane.number) return false;
    if (!wish.here && std::ranges::find(wanted, key) != wanted.end()) return false;
    wish.stop.request_stop();
    return true;
  });
}

void Panes::ask_for_tile(const Shared& pane, const TileKey& key, Work group, bool sample) {
  const auto [wish, is_new] = wishes_.try_emplace(key);
  if (!is_new) return;
  workers_.submit(
      group, "tiles",
      [this, pane, key, sample, matrix = pane->matrix,
       own = wish->second.stop](const std::stop_token&) {
        const std::stop_token stop = own.get_token();
        auto tile = sample ? sample_tile(*matrix, key, stop) : make_tile(*matrix, key, stop);
        // What was asked for twice, with a stop between, is told by its own wish.
        if (stop.stop_requested()) return;
        deliver_([this, pane, key, own, made = std::make_shared<Result<Tile>>(std::move(tile))] {
          if (own.stop_requested()) return;
          if (const auto at = wishes_.find(key); at != wishes_.end()) at->second.here = true;
          ++pane->revision;
          if (*made)
            tiles_.put(key, std::move(**made));
          else
            pane->error = made->error().message;
        });
      });
}

void Panes::cancel_tiles() {
  for (auto& [key, wish] : wishes_) wish.stop.request_stop();
  wishes_.clear();
}

void Panes::drop_unfinished() {
  cancel_tiles();
  for (const Work work : {Work::tiles, Work::refine, Work::census}) workers_.cancel(work);
  std::erase_if(panes_, [](const auto& p) {
    return p->error.empty() && (p->census == nullptr || p->census->sampled);
  });
}

void Panes::clear() {
  cancel_tiles();
  panes_.clear();
  tiles_.clear();
}

std::uint64_t Panes::bytes() const {
  std::uint64_t n = tiles_.bytes();
  for (const auto& p : panes_) n += p->bytes();
  return n;
}

void Panes::keep_limit() {
  const auto held = [&] { return bytes() - tiles_.bytes(); };
  while (panes_.size() > kOnShow && held() > limit_ / 2) panes_.pop_back();
  tiles_.set_limit(limit_ - std::min(held(), limit_ * 3 / 4));
}

}  // namespace ckpt::gui
