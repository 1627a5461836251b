// The viewer on every broken repo of the fixtures: all views and all actions, and what is wrong is
// on the screen.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "gui/state/actions.h"
#include "gui/state/facts.h"
#include "tests/gui/null_screen.h"
#include "tests/pipeline/lint_repos.h"

namespace ckpt::gui {
namespace {

using testing::NullScreen;

/// Each canvas beside each list, for some frames.
void draw_everything(NullScreen& on) {
  for (std::size_t c = 0; c < kCanvases; ++c) {
    for (std::size_t t = 0; t < kListTabs; ++t) {
      on.app.canvas = static_cast<Canvas>(c);
      on.app.tab = static_cast<ListTab>(t);
      on.host.frame();
    }
  }
  CHECK(settle(on.app, on.host));
}

/// All actions, with whatever is selected, and the panels they open.
void do_everything(NullScreen& on) {
  for (const Action& a : actions()) {
    CAPTURE(a.id);
    a.run(on.app);
    on.host.frame();
    on.host.frame();
    close_overlays(on.app);
  }
  on.app.quit = false;
  CHECK(settle(on.app, on.host));
}

void select_some(NullScreen& on) {
  const auto n = static_cast<std::int32_t>(on.app.session()->rows().size());
  for (std::int32_t t = 0; t < n; t += std::max(n / 5, 1)) {
    on.app.select_tensor(t);
    draw_everything(on);
  }
  on.app.select_layer(0);
  draw_everything(on);
  on.app.select_expert(0, 1);
  draw_everything(on);
}

/// The finding that the repo was made for stands in the list and in the overview, and can be
/// chosen.
void expect_finding(NullScreen& on, const std::string& code) {
  const auto& findings = on.app.session()->results()->findings;
  const auto at = std::ranges::find(findings, code, &results::Finding::code);
  REQUIRE(at != findings.end());
  on.app.tab = ListTab::findings;
  REQUIRE(on.app.select_named(at->fingerprint()));
  CHECK(settle(on.app, on.host));
  CHECK(on.screen.registry().find(fmt::format("list/findings/{}", at - findings.begin())) !=
        nullptr);
  CHECK(inspect_selection(on.app).title.starts_with(code));
  on.run("action canvas.tab.1\nwait");
  const auto lines = overview_lines(on.app);
  const auto told = std::ranges::find_if(
      lines, [&](const Line& l) { return l.text.find("[" + code + "]") != std::string::npos; });
  REQUIRE(told != lines.end());
  CHECK(on.screen.registry().find(fmt::format("overview/{}", told - lines.begin())) != nullptr);
}

}  // namespace

TEST_CASE("views: every broken repo is shown with its finding, in all views, by all actions") {
  const auto manifest = testing::read_json(testing::lint_folder() + "manifest.json");
  REQUIRE(manifest != nullptr);
  std::size_t broken = 0;
  manifest->root().each_member([&](const json::Member& member) {
    const std::string repo(member.name);
    CAPTURE(repo);
    const testing::TempDir dir;
    testing::lay_out_lint_repo(repo, dir);
    App app({.open = {.target = dir.path(), .results = {}, .reference = dir.path()}});
    NullScreen on(app);
    REQUIRE(app.session() != nullptr);
    REQUIRE(app.session()->results() != nullptr);
    select_some(on);
    do_everything(on);
    if (const auto code = testing::lint_codes().find(repo); code != testing::lint_codes().end()) {
      expect_finding(on, code->second);
      ++broken;
    }
  });
  CHECK(broken == testing::lint_codes().size());
}

}  // namespace ckpt::gui
