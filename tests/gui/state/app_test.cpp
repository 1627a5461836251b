#include "gui/state/app.h"

#include <doctest/doctest.h>

#include <set>

#include "gui/state/actions.h"
#include "gui/state/facts.h"
#include "gui/state/figure.h"
#include "gui/state/save.h"
#include "tests/gui/golden_pair.h"
#include "tests/pipeline/lint_repos.h"

namespace ckpt::gui {

using testing::OpenPair;

TEST_CASE("history: back and forward as in a browser, a new step forgets what lay ahead") {
  History h;
  h.go({.tensor = 1});
  h.go({.tensor = 2});
  h.go({.tensor = 2});
  REQUIRE(h.back());
  CHECK(h.current().tensor == 1);
  REQUIRE(h.forward());
  CHECK(h.current().tensor == 2);
  CHECK_FALSE(h.forward());
  REQUIRE(h.back());
  h.go({.tensor = 3});
  CHECK_FALSE(h.can_go_forward());
  for (int i = 0; i < 1000; ++i) h.go({.tensor = i});
  CHECK(h.current().tensor == 999);
}

TEST_CASE("actions: ids and keys are unique, every action runs with nothing open and with a pair") {
  std::set<std::string_view> ids;
  std::set<std::string> keys;
  for (const Action& a : actions()) {
    CHECK_MESSAGE(ids.insert(a.id).second, a.id);
    CHECK(!a.title.empty());
    std::string_view rest = a.keys;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      const std::string chord(rest.substr(0, end));
      CHECK_MESSAGE(keys.insert(chord).second, chord);
      CHECK(action_of_key(chord) == &a);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  App nothing({.open = {.target = "/nowhere/at/all", .results = {}, .reference = {}}});
  OpenPair::settle(nothing);
  CHECK(!nothing.error.empty());
  const OpenPair pair;
  for (const Action& a : actions()) {
    CAPTURE(a.id);
    a.run(nothing);
    a.run(*pair.app);
    OpenPair::settle(*pair.app);
  }
  CHECK(nothing.quit);
  CHECK_FALSE(act(nothing, "no.such.action"));
}

TEST_CASE("selection: a tensor brings its module, layer and expert; steps keep the part") {
  const OpenPair pair;
  App& app = *pair.app;
  REQUIRE(app.select_named("model.layers.1.mlp.experts.3.up_proj.scales"));
  CHECK(app.selection().layer == 1);
  CHECK(app.selection().expert == 3);
  CHECK(app.canvas == Canvas::heat_map);
  (void)act(app, "layer.next");
  CHECK(app.selection().layer == 2);
  CHECK(app.selection().expert == 3);
  (void)act(app, "expert.next");
  CHECK(app.selection().expert == 4);
  CHECK(inspect_selection(app).title == "model.layers.2.mlp.experts.4.up_proj.qweight");
  (void)act(app, "nav.back");
  (void)act(app, "nav.back");
  CHECK(app.selection().layer == 1);
  CHECK_FALSE(app.select_named("no such tensor"));
  CHECK_FALSE(app.select_named("expert 1 99999"));
}

TEST_CASE(
    "questions: worst expert, finding, diverging token, local or inherited, each in one step") {
  const OpenPair pair;
  App& app = *pair.app;
  (void)act(app, "expert.worst");
  CHECK(app.selection().layer == 4);
  CHECK(app.selection().expert == 2);
  CHECK(app.canvas == Canvas::experts);
  (void)act(app, "finding.next");
  CHECK(app.selection().tensor == app.session()->find_tensor("lm_head.weight"));
  CHECK(app.canvas == Canvas::heat_map);
  (void)act(app, "token.next");
  CHECK(app.selection().token == 0);
  CHECK(app.canvas == Canvas::text);
  app.select_layer(3);
  const Inspected layer = inspect_selection(app);
  const auto origin = std::ranges::find(layer.facts, std::string("origin"), &Fact::name);
  REQUIRE(origin != layer.facts.end());
  // Own 0.03, inherited 0.06: 9 of 45 parts of the squares.
  CHECK(origin->value == "20 % its own, 80 % from the layers before");
  const auto fact = [&](const std::string& name) {
    const auto facts = inspect_selection(app).facts;
    const auto at = std::ranges::find(facts, name, &Fact::name);
    return at == facts.end() ? "" : at->value;
  };
  CHECK(fact("router overlap") == "0.9900");
  CHECK(fact("gates apart") == "0.02");
  app.select_expert(4, 2);
  CHECK(fact("tokens routed") == "20, candidate 24");
}

TEST_CASE("text from results and names is never shown with its control characters") {
  const OpenPair pair;
  App& app = *pair.app;
  app.select_token(0);
  for (const Fact& f : inspect_selection(app).facts) {
    CHECK(f.value.find('\x1b') == std::string::npos);
  }
  const Inspected token = inspect_selection(app);
  const auto third = std::ranges::find(token.facts, std::string("reference 3"), &Fact::name);
  REQUIRE(third != token.facts.end());
  CHECK(third->value == "an\\x1b[0m (4.98 %)");
  CHECK(selection_text(app).find("\ncandidate\t5\tthe\t-1") != std::string::npos);
  CHECK(selection_text(app).find('\x1b') == std::string::npos);
  CHECK(selection_command(app).ends_with("--open 'token 1' --view text"));
  CHECK(app.select_named("token 2"));
  CHECK(app.selection().token == 1);
  CHECK_FALSE(app.select_named("token 3"));
  CHECK_FALSE(app.select_named("token 0"));
  for (const Line& l : overview_lines(app)) CHECK(l.text.find('\x1b') == std::string::npos);
}

TEST_CASE("list: tree, filter and sort hold the same tensors") {
  const OpenPair pair;
  App& app = *pair.app;
  const std::size_t all = app.session()->rows().size();
  CHECK(app.list.is_tree());
  CHECK(app.list.rows().size() == 2);
  app.list.set_open("model", true);
  CHECK(app.list.rows().size() > 2);
  app.list.set_tree(false);
  CHECK(app.list.rows().size() == all);
  REQUIRE(app.list.set_filter("layer:2 expert:5").has_value());
  CHECK(app.list.matches() == 9);
  CHECK_FALSE(app.list.set_filter("layer:x").has_value());
  CHECK(app.list.matches() == 9);
  REQUIRE(app.list.set_filter("finding:VAL001").has_value());
  CHECK(app.list.matches() == 1);
  REQUIRE(app.list.set_filter("").has_value());
  app.list.set_sort(SortBy::error, true);
  const TensorRow& worst =
      app.session()->rows()[static_cast<std::size_t>(app.list.rows()[0].tensor)];
  CHECK(worst.layer == 4);
  CHECK(worst.expert == 2);
}

TEST_CASE("heat map: complete after work has ended, back from history without reading again") {
  const OpenPair pair;
  App& app = *pair.app;
  REQUIRE(app.select_named("lm_head.weight"));
  (void)app.pane(Source::decoded);
  OpenPair::settle(app);
  REQUIRE(app.pane(Source::decoded).matrix != nullptr);
  (void)app.draw(app.pane(Source::decoded), {200, 100});
  OpenPair::settle(app);
  const Picture picture = app.draw(app.pane(Source::decoded), {200, 100});
  CHECK(picture.complete);
  const Matrix& m = *app.pane(Source::decoded).matrix;
  CHECK(app.pane(Source::decoded).census->count == m.rows() * m.columns());
  CHECK(app.tiles().bytes() <= app.tiles().limit());
}

TEST_CASE("range and widths answer to the keyboard too; a layer is copied with its numbers") {
  const OpenPair pair;
  App& app = *pair.app;
  REQUIRE(app.select_named("lm_head.weight"));
  (void)app.pane(Source::decoded);
  OpenPair::settle(app);
  const float before = app.coloring(app.pane(Source::decoded)).high;
  (void)act(app, "view.range_narrower");
  CHECK(app.coloring(app.pane(Source::decoded)).high == doctest::Approx(double{before} * 0.8));
  (void)act(app, "view.range_wider");
  CHECK(app.coloring(app.pane(Source::decoded)).high == doctest::Approx(double{before}));
  (void)act(app, "view.autorange");
  CHECK(app.look.high == 0);
  const float width = app.list_width;
  (void)act(app, "app.list_wider");
  CHECK(app.list_width > width);
  app.select_layer(3);
  CHECK(selection_text(app) == "layer 3\t0.13\t0.07\t0.99");
}

TEST_CASE("cancel: queued work is forgotten and the interface goes on") {
  const OpenPair pair;
  App& app = *pair.app;
  for (int i = 0; i < 50; ++i) {
    app.select_tensor(i);
    (void)app.pane(Source::decoded);
  }
  app.cancel();
  CHECK(OpenPair::settle(app));
  REQUIRE(app.select_named("lm_head.weight"));
  (void)app.pane(Source::decoded);
  OpenPair::settle(app);
  CHECK(app.pane(Source::decoded).census != nullptr);
}

TEST_CASE("palette: commands, findings and tensors; the chosen one is done") {
  const OpenPair pair;
  App& app = *pair.app;
  (void)act(app, "app.palette");
  app.overlays.text = "lm_head";
  const auto choices = palette_choices(app, 10);
  REQUIRE(!choices.empty());
  CHECK(choices[0].target == "select lm_head.weight");
  accept_overlay(app);
  CHECK(app.selection().tensor == app.session()->find_tensor("lm_head.weight"));
  CHECK_FALSE(app.overlays.palette);
}

TEST_CASE("figures have a point for each layer, expert and stretch of text") {
  const OpenPair pair;
  App& app = *pair.app;
  CHECK(layers_figure(app).series.at(0).y.size() == 8);
  CHECK(routing_figure(app).series.at(0).y.size() == 8);
  CHECK(routing_figure(app).series.at(3).y == std::vector<double>(8, 0.02));
  app.select_layer(3);
  const Figure routed = routed_figure(app);
  CHECK(routed.title ==
        "tokens routed in layer 3: overlap 0.9900, same set 100.0 %, gates 0.02 apart");
  REQUIRE(routed.series.size() == 2);
  CHECK(routed.series[0].y.at(5) == 50);
  CHECK(routed.series[1].y.at(5) == 53);
  CHECK(csv_of(routed).starts_with("expert,reference,candidate\n0,0,3\n"));
  CHECK(text_figure(app).series.at(0).y.size() == 3);
  const Grid g = expert_grid(app, ExpertValue::error);
  CHECK(g.rows == 8);
  CHECK(g.columns == 12);
  CHECK(g.high() == doctest::Approx(1.02));
  CHECK(expert_grid(app, ExpertValue::bits).at(0, 0) == 4);
  CHECK(csv_of(g).find("4,2,1.02") != std::string::npos);
  CHECK(svg_of(g).find("layer 4 expert 2: 1.02") != std::string::npos);
  CHECK(csv_of(layers_figure(app)).starts_with("layer,local error,propagated error"));
}

TEST_CASE("every broken repo of the fixtures opens or says why, and every view can be asked for") {
  const auto manifest = testing::read_json(testing::lint_folder() + "manifest.json");
  REQUIRE(manifest != nullptr);
  int opened = 0;
  manifest->root().each_member([&](const json::Member& member) {
    const std::string name(member.name);
    CAPTURE(name);
    const testing::TempDir dir;
    testing::lay_out_lint_repo(name, dir);
    App app({.open = {.target = dir.path(), .results = {}, .reference = dir.path()}});
    REQUIRE(OpenPair::settle(app));
    CHECK(((app.session() != nullptr) != app.error.empty()) == false);
    (void)overview_lines(app);
    if (app.session() == nullptr) return;
    ++opened;
    const auto n = static_cast<std::int32_t>(app.session()->rows().size());
    for (std::int32_t t = 0; t < n; t += std::max(n / 20, 1)) {
      app.select_tensor(t);
      for (const Source s : kSources) {
        (void)app.draw(app.pane(s), {64, 64});
        OpenPair::settle(app);
        (void)app.draw(app.pane(s), {64, 64});
      }
      (void)inspect_selection(app);
      OpenPair::settle(app);
    }
    for (const char* id : {"finding.next", "finding.next", "list.last", "expert.worst"}) {
      (void)act(app, id);
      (void)inspect_selection(app);
      OpenPair::settle(app);
    }
  });
  CHECK(opened > 10);
}

}  // namespace ckpt::gui
