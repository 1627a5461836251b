#include "gui/state/panes.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "gui/state/actions.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {
namespace {

using testing::OpenPair;

constexpr std::uint64_t kSmallCache = 16U << 20;

/// Shows the selection in all sources at a size that needs megabytes of tiles.
void show_all_sources(App& app) {
  for (const Source source : kSources) {
    (void)app.pane(source);
    REQUIRE(OpenPair::settle(app));
    CHECK(app.bytes() <= kSmallCache);
    (void)app.draw(app.pane(source), {2000, 1500});
    REQUIRE(OpenPair::settle(app));
    CHECK(app.bytes() <= kSmallCache);
  }
}

}  // namespace

TEST_CASE("panes: with many of them open memory stays below the cache setting") {
  const OpenPair pair(true, kSmallCache);
  App& app = *pair.app;
  std::uint64_t most = 0;
  for (int expert = 0; expert < 3; ++expert) {
    for (const char* part : {"down_proj", "up_proj", "gate_proj"}) {
      REQUIRE(
          app.select_named(fmt::format("model.layers.1.mlp.experts.{}.{}.qweight", expert, part)));
      show_all_sources(app);
      most = std::max(most, app.bytes());
    }
  }
  REQUIRE(app.select_named("lm_head.weight"));
  show_all_sources(app);
  // Otherwise nothing was kept, and the bound means nothing.
  CHECK(most > kSmallCache / 4);
}

TEST_CASE("panes: a tile that had to go is read again when the view comes back to it") {
  // Room for a few tiles.
  const OpenPair pair(true, 1U << 20);
  App& app = *pair.app;
  REQUIRE(app.select_named("lm_head.weight"));
  (void)app.pane(Source::decoded);
  REQUIRE(OpenPair::settle(app));
  app.look.fitted = false;
  const auto draw_at = [&](double column, PixelSize size) {
    app.look.view = {.row = 0, .column = column, .cell_height = 1, .cell_width = 1};
    for (int i = 0; i < 3; ++i) {
      (void)app.draw(app.pane(Source::decoded), size);
      REQUIRE(OpenPair::settle(app));
    }
    return app.draw(app.pane(Source::decoded), size).complete;
  };
  CHECK(draw_at(0, {100, 100}));
  // Other tiles push the first one out.
  for (int i = 1; i < 8; ++i) {
    app.look.reduce = static_cast<Reduce>(i % 4);
    CHECK_FALSE(draw_at(0, {128, 2048}));
  }
  app.look.reduce = Reduce::largest;
  CHECK(draw_at(0, {100, 100}));
}

TEST_CASE("panes: what an earlier view asked for is dropped, what the new one needs is read") {
  const OpenPair pair;
  App& app = *pair.app;
  REQUIRE(app.select_named("lm_head.weight"));
  (void)app.pane(Source::decoded);
  REQUIRE(OpenPair::settle(app));
  app.look.fitted = false;
  for (int i = 0; i < 100; ++i) {
    app.look.view = {.row = 8.0 * i, .column = 0, .cell_height = 1, .cell_width = 1};
    (void)app.draw(app.pane(Source::decoded), {64, 64});
  }
  REQUIRE(OpenPair::settle(app));
  CHECK(app.draw(app.pane(Source::decoded), {64, 64}).complete);
}

}  // namespace ckpt::gui
