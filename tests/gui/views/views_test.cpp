// The views on a backend that draws nothing: what a person can do, by the labels of widgets.

#include <doctest/doctest.h>
#include <imgui/imgui.h>
#include <malloc.h>

#include <algorithm>

#include "gui/state/actions.h"
#include "gui/views/png.h"
#include "tests/gui/null_screen.h"

namespace ckpt::gui {
namespace {

/// The viewer on the golden pair without a window.
struct Pair {
  testing::OpenPair pair;
};

struct Bench : Pair, testing::NullScreen {
  Bench() : NullScreen(*pair.app) {}
};

}  // namespace

TEST_CASE("views: tabs, branches, tensors and links answer to clicks") {
  Bench b;
  for (std::size_t i = 0; i < kCanvases; ++i) {
    const auto canvas = static_cast<Canvas>(i);
    CAPTURE(canvas_name(canvas));
    CHECK(b.click_on("canvas/tab/" + std::string(canvas_name(canvas))));
    CHECK(b.app.canvas == canvas);
  }
  REQUIRE(b.click_on("list/branch/lm_head"));
  REQUIRE(b.click_on("list/tensors/lm_head.weight"));
  CHECK(b.app.selection().tensor == b.app.session()->find_tensor("lm_head.weight"));
  REQUIRE(b.click_on("list/tab/Findings"));
  REQUIRE(b.click_on("list/findings/0"));
  CHECK(b.app.selection().finding == 0);
  CHECK(b.app.canvas == Canvas::heat_map);
  REQUIRE(b.click_on("list/tab/Layers"));
  REQUIRE(b.click_on("list/layers/3"));
  CHECK(b.app.selection().layer == 3);
  REQUIRE(b.click_on("list/tab/Experts"));
  REQUIRE(b.click_on("list/experts/sort"));
  REQUIRE(b.click_on("list/experts/4/2"));
  CHECK(b.app.selection().expert == 2);
  REQUIRE(b.click_on("list/tab/Tokens"));
  REQUIRE(b.click_on("list/tokens/1"));
  CHECK(b.app.selection().token == 1);
  CHECK_FALSE(b.click_on("list/no/such/widget"));
}

TEST_CASE("views: every action is in a menu or the help, and every menu line can be clicked") {
  Bench b;
  b.run("action app.help");
  for (const Action& a : actions()) {
    CAPTURE(a.id);
    // Lines below the fold are drawn too: the table is not clipped.
    CHECK(b.screen.registry().find("help/" + std::string(a.id)) != nullptr);
  }
  b.run("key Esc");
  CHECK_FALSE(b.app.overlays.help);
  for (const Action& a : actions()) {
    CAPTURE(a.id);
    const std::string family(a.id.substr(0, a.id.find('.')));
    REQUIRE(b.click_on("menu/" + family));
    CHECK(b.screen.registry().find("menu/" + std::string(a.id)) != nullptr);
    b.run("key Esc");
    ImGui::SetWindowFocus(nullptr);
    (void)settle(b.app, b.host);
  }
  REQUIRE(b.click_on("menu/view"));
  REQUIRE(b.click_on("menu/view.groups"));
  CHECK(b.app.look.groups);
}

TEST_CASE("views: keys act, but not while a field has the focus") {
  Bench b;
  b.run("key 2");
  CHECK(b.app.canvas == Canvas::heat_map);
  b.run("key ?");
  CHECK(b.app.overlays.help);
  b.run("key Esc\nselect lm_head.weight\nwait\nkey G");
  CHECK(b.app.look.groups);
  b.run("key /\nwait\ntype g13\nwait");
  CHECK(b.screen.wants_text());
  CHECK(b.app.list.filter_text() == "g13");
  CHECK(b.app.look.groups);
  CHECK(b.app.canvas == Canvas::heat_map);
  b.run("key Esc\nwait\nkey 1");
  CHECK(b.app.canvas == Canvas::overview);
}

TEST_CASE("views: the reference stands in while R is held") {
  Bench b;
  b.run("select model.layers.1.mlp.experts.3.down_proj.qweight\nwait");
  b.screen.key({.key = Key::letter, .symbol = 'R'});
  (void)settle(b.app, b.host);
  CHECK(b.app.shown_source() == Source::reference);
  CHECK(b.textures.last.complete);
  b.screen.key({.key = Key::letter, .symbol = 'R', .down = false});
  CHECK(b.app.shown_source() == Source::decoded);
}

TEST_CASE("views: the palette takes text, arrows and Enter") {
  Bench b;
  b.run("key Ctrl+P\nwait\ntype lm_head\nwait\nexpect palette/0\nkey Enter\nwait");
  CHECK(b.app.selection().tensor == b.app.session()->find_tensor("lm_head.weight"));
  CHECK_FALSE(b.app.overlays.palette);
  b.run("key Ctrl+G\nwait\ntype 3, 17\nkey Enter\nwait");
  REQUIRE(b.app.selection().cell.has_value());
  CHECK(*b.app.selection().cell == Cell{3, 17});
}

TEST_CASE(
    "views: wheel, drag and double click move the heat map; an idle frame draws nothing anew") {
  Bench b;
  b.run("select lm_head.weight\nwait\nhover heat_map/cells\nwait\nwheel 5\nwait");
  CHECK_FALSE(b.app.look.fitted);
  const Viewport zoomed_in = b.app.look.view;
  const Box* cells = b.screen.registry().find("heat_map/cells");
  REQUIRE(cells != nullptr);
  // A copy: the next frame records its widgets anew.
  const Box box = *cells;
  b.screen.mouse_button(0, true);
  b.host.frame();
  b.screen.mouse_move(box.x() - 40, box.y());
  b.host.frame();
  b.host.frame();
  b.screen.mouse_button(0, false);
  (void)settle(b.app, b.host);
  CHECK(b.app.look.view.column > zoomed_in.column);
  const std::size_t before = b.textures.uploads;
  for (int i = 0; i < 10; ++i) b.host.frame();
  CHECK(b.textures.uploads == before);
  b.run("action view.fit\nwait");
  CHECK(b.textures.uploads > before);
}

TEST_CASE("views: a thousand frames of any canvas leave no memory behind") {
  Bench b;
  b.run("select lm_head.weight\nwait");
  for (std::size_t i = 0; i < kCanvases; ++i) {
    b.app.canvas = static_cast<Canvas>(i);
    CAPTURE(canvas_name(b.app.canvas));
    (void)settle(b.app, b.host);
    for (int n = 0; n < 20; ++n) b.host.frame();
    const std::size_t before = mallinfo2().uordblks;
    for (int n = 0; n < 1000; ++n) b.host.frame();
    CHECK(static_cast<double>(mallinfo2().uordblks) - static_cast<double>(before) < 16e3);
  }
}

TEST_CASE(
    "views: the numbers beside the expert grid order it, and the grid answers in that order") {
  Bench b;
  b.run("action canvas.tab.5\nwait");
  REQUIRE(b.click_on("experts/layer/4"));
  CHECK(b.app.grid_order.experts == AxisOrder{OrderBy::line, 4});
  REQUIRE(b.click_on("experts/expert/2"));
  CHECK(b.app.grid_order.layers == AxisOrder{OrderBy::line, 2});
  // The worst of both stands in the corner now.
  const Box* grid = b.screen.registry().find("experts/grid");
  REQUIRE(grid != nullptr);
  b.screen.mouse_move(grid->left + 3, grid->top + 3);
  b.run("wait");
  CHECK(b.app.hovered == "layer 4 expert 2: 1.02");
  REQUIRE(b.click_on("tool/layer.order"));
  CHECK(b.app.grid_order.layers.by == OrderBy::mean);
  b.run("key Shift+O\nkey O\nkey B\nwait");
  CHECK(b.app.grid_order.layers.by == OrderBy::number);
  CHECK(b.app.grid_order.experts.by == OrderBy::mean);
  CHECK(b.app.grid_order.value == ExpertValue::error);
}

TEST_CASE("views: the likeliest tokens of both models stand below the text and under the pointer") {
  Bench b;
  b.run("select token 1\nwait\nexpect text/top/reference/2\nexpect text/top/candidate/0");
  b.run("hover text/token/1\nwait\nexpect text/tip/candidate/2");
  b.run("hover text/token/0\nwait");  // a token with no distribution of its own
  CHECK(b.screen.registry().find("text/tip/candidate/2") == nullptr);
  CHECK(b.app.hovered.find("KL 0.001") != std::string::npos);
}

TEST_CASE("views: a cell and a line of the list tell under the pointer what they hold") {
  Bench b;
  b.run("select lm_head.weight\nwait\nhover heat_map/cells\nwait\nexpect heat_map/cells/tip");
  CHECK(b.app.hovered.starts_with("["));
  b.run("hover list/tensors/lm_head.weight\nwait");
  CHECK(b.app.hovered.starts_with("lm_head.weight  BF16 ["));
  CHECK(b.app.hovered.find("  16 bits  ") != std::string::npos);
}

TEST_CASE(
    "views: arrows move the cell once one was chosen in the map, and the list before and after") {
  Bench b;
  b.run(
      "action list.tree\nselect lm_head.weight\nwait\nkey Ctrl+G\nwait\ntype 3, 17\nkey "
      "Enter\nwait");
  REQUIRE(b.app.selection().cell == Cell{3, 17});
  b.run("key Right\nkey Down\nkey Down\nkey Left\nwait");
  CHECK(b.app.selection().cell == Cell{5, 17});
  const std::int32_t tensor = b.app.selection().tensor;
  b.run("key Esc\nkey Down\nwait");
  CHECK(b.app.selection().tensor == tensor + 1);
  b.run("key N\nwait");
  const auto first = b.app.selection().cell;
  REQUIRE(first.has_value());
  b.run("key N\nwait");
  CHECK_FALSE(b.app.selection().cell == first);
  b.run("key Shift+N\nwait");
  CHECK(b.app.selection().cell == first);
}

TEST_CASE("views: with nothing open the recent ones are there to be clicked") {
  App app({.open = {}, .check = false});
  app.recent = {{testing::golden_model("A-causallm-bf16"), "", ""}};
  testing::NullScreen screen(app);
  REQUIRE(screen.click_on("overview/2"));
  CHECK(app.session() != nullptr);
}

TEST_CASE("views: copying puts the selection on the clipboard") {
  Bench b;
  b.run("select lm_head.weight\nwait\nkey Ctrl+C\nwait");
  CHECK(std::string(ImGui::GetClipboardText()).starts_with("lm_head.weight\t"));
  b.run("key Ctrl+Shift+I\nwait");
  CHECK(std::string(ImGui::GetClipboardText()).starts_with("lm_head.weight\ndtype\tBF16\n"));
  REQUIRE(b.click_on("inspector/dtype"));
  CHECK(std::string(ImGui::GetClipboardText()) == "BF16");
  b.run("key Ctrl+Shift+C\nwait");
  const std::string command = ImGui::GetClipboardText();
  CHECK(command.starts_with("ckpt-check gui '"));
  CHECK(command.find("--open 'lm_head.weight' --view heat_map") != std::string::npos);
}

TEST_CASE("views: each canvas saves what it offers, and says so when it does not") {
  Bench b;
  b.app.encode_png = encode_png;
  const std::string to = b.pair.dir.path();
  const auto save = [&](const std::string& canvas, const std::string& name) {
    b.app.overlays = {};
    b.run("action " + canvas + "\nwait\naction edit.export\nwait");
    b.app.overlays.text = to + "/" + name;
    accept_overlay(b.app);
    (void)settle(b.app, b.host);
    return testing::read_all(to + "/" + name);
  };
  b.run("select model.layers.1.mlp.experts.3.down_proj.qweight\nwait");
  const auto png = decode_png(save("canvas.tab.2", "map.png"));
  REQUIRE(png.has_value());
  CHECK(png->size == b.app.look.size);
  CHECK(save("canvas.tab.2", "map.npy").starts_with("\x93NUMPY"));
  CHECK(save("canvas.tab.2", "map.csv").starts_with("row,0,1,2"));
  CHECK(save("canvas.tab.3", "bars.svg").starts_with("<svg"));
  CHECK(save("canvas.tab.5", "grid.csv").starts_with("layer,expert,value"));
  CHECK(save("canvas.tab.6", "text.svg").find("KL over the text") != std::string::npos);
  CHECK(save("canvas.tab.7", "routed.csv").starts_with("expert,reference,candidate"));
  CHECK(save("canvas.tab.8", "layers.csv").starts_with("layer,"));
  CHECK(save("canvas.tab.1", "over.csv").empty());
  CHECK(b.app.message.find("nothing to save") != std::string::npos);
}

TEST_CASE("views: a script says which line it could not do") {
  Bench b;
  const auto done = run_script("# first\naction view.fit\nclick no/such", b.app, b.screen, b.host);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message.find("script line 3") != std::string::npos);
  CHECK(done.error().message.find("no/such") != std::string::npos);
}

TEST_CASE("views: both themes, four sizes and three scales draw every canvas") {
  Bench b;
  b.run("select model.layers.1.mlp.experts.3.down_proj.qweight\nwait");
  for (const bool dark : {true, false}) {
    for (const PixelSize size : {PixelSize{64, 64}, {320, 200}, {1280, 800}, {3840, 2160}}) {
      for (const float scale : {0.5F, 1.F, 3.F}) {
        b.app.dark = dark;
        b.app.scale = scale;
        for (std::size_t i = 0; i < kCanvases; ++i) {
          b.app.canvas = static_cast<Canvas>(i);
          b.app.poll();
          b.screen.frame(size, 0.02F);
        }
        CHECK(ImGui::GetDrawData()->TotalVtxCount > 0);
      }
    }
  }
}

}  // namespace ckpt::gui
