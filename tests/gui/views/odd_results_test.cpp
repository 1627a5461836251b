// Results files that somebody changed: every view shows them, or they are refused with a reason.

#include <doctest/doctest.h>

#include <array>
#include <cctype>

#include "gui/state/actions.h"
#include "gui/state/facts.h"
#include "tests/gui/null_screen.h"

namespace ckpt::gui {
namespace {

struct Span {
  std::size_t begin = 0;
  std::size_t length = 0;
};

/// The numbers of a JSON text that stand as values.
std::vector<Span> numbers_of(const std::string& text) {
  std::vector<Span> out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool begins = text[i - 1] == ' ' && (std::isdigit(text[i]) != 0 || text[i] == '-');
    if (!begins) continue;
    const std::size_t end = text.find_first_not_of("0123456789+-.eE", i);
    if (text[end] == ',' || text[end] == '\n') out.push_back({i, end - i});
  }
  return out;
}

/// Every canvas beside every list, and what is told of a few selections.
void look_at_everything(testing::NullScreen& on) {
  for (std::size_t c = 0; c < kCanvases; ++c) {
    on.app.canvas = static_cast<Canvas>(c);
    on.app.tab = static_cast<ListTab>(c % kListTabs);
    on.host.frame();
  }
  for (const char* id : {"expert.worst", "expert.order", "layer.order", "token.next", "token.next",
                         "finding.next", "layer.next", "expert.next", "list.last"}) {
    (void)act(on.app, id);
    CHECK(!inspect_selection(on.app).title.empty());
    (void)selection_text(on.app);
    on.host.frame();
  }
}

}  // namespace

TEST_CASE("views: results with one odd number are shown or refused, whichever number it is") {
  const std::string good = results::to_json(testing::golden_results());
  const std::vector<Span> numbers = numbers_of(good);
  REQUIRE(numbers.size() > 500);
  constexpr std::array<std::string_view, 7> kOdd{
      "-1", "0", "2147483647", "18446744073709551615", "1e308", "\"NaN\"", "\"-Infinity\""};
  const testing::TempDir dir;
  int shown = 0;
  int refused = 0;
  App app({.open = {}, .check = false});
  testing::NullScreen screen(app);
  constexpr std::size_t kStep = 3;  // of a thousand numbers some of each kind
  for (std::size_t i = 0; i < numbers.size(); i += kStep) {
    std::string odd = good;
    odd.replace(numbers[i].begin, numbers[i].length, kOdd[i / kStep % kOdd.size()]);
    CAPTURE(good.substr(numbers[i].begin - 40, 60));
    dir.write("results.json", odd);
    app.error.clear();
    app.open({.target = {}, .results = dir.path() + "/results.json", .reference = {}});
    REQUIRE(testing::OpenPair::settle(app));
    ++(app.error.empty() ? shown : refused);
    if (app.session() != nullptr) look_at_everything(screen);
  }
  CHECK(shown > 20);
  CHECK(refused > 0);
}

TEST_CASE("views: results without most of what they should hold are shown") {
  const testing::TempDir dir;
  App app({.open = {}, .check = false});
  testing::NullScreen screen(app);
  for (
      const std::string_view metrics :
      {R"({})", R"({"over_text": {"positions": [{}, {"context": []}]}})",
       R"({"over_text": {"stride": 0, "mean": [], "worst": [1, 2], "histogram": {"counts": [3]}}})",
       R"({"over_text": {"positions": [{"position": 0, "context": [{}, {}, {}],
            "reference": {"top": [{}, {"log_p": "NaN"}]}}]}})",
       R"({"layers": [{}], "experts": [{"layer": 3, "expert": 7, "tokens_candidate": 9}]})",
       R"({"layers": [{"layer": 999999}], "experts": [{"layer": 999999, "expert": 999999}]})"}) {
    CAPTURE(metrics);
    dir.write("results.json",
              R"({"schema_version": "1.2", "metrics": )" + std::string(metrics) + "}");
    app.open({.target = {}, .results = dir.path() + "/results.json", .reference = {}});
    REQUIRE(testing::OpenPair::settle(app));
    REQUIRE_MESSAGE(app.error.empty(), app.error);
    look_at_everything(screen);
  }
}

}  // namespace ckpt::gui
