#include "gui/state/remembered.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include "gui/state/actions.h"
#include "gui/state/facts.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {

TEST_CASE("remembered: what was written is read, what is odd keeps the default") {
  const Remembered was{{1600, 900}, false, 1.25F, {}};
  const Remembered is = from_toml(to_toml(was));
  CHECK(is.size == was.size);
  CHECK_FALSE(is.dark);
  CHECK(is.scale == 1.25F);
  const Remembered odd = from_toml("width = -3\nheight = 99999999\nscale_percent = x\n= \ntheme\n");
  CHECK(odd.size == Remembered{}.size);
  CHECK(odd.scale == 1);
  CHECK(odd.dark);
}

TEST_CASE(
    "remembered: what was opened comes back whatever its name is, and never as more than names") {
  Remembered was;
  const std::vector<std::string> names{
      "/models/plain",
      "/a \"b\" \\c\\ = d",
      "/two\nlines\n[[recent]]\ntarget = \"/etc/shadow\"",
      "/\x1b[31m\x7f\t\r",
      "/\xe2\x80\xae\xd0\xbf\xf0\x9f\x98\x80",
  };
  for (const std::string& n : names) was.recent.push_back({n, n + ".json", ""});
  const std::string text = to_toml(was);
  CHECK(from_toml(text).recent == was.recent);
  for (const char c : text) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
  for (const OpenArgs& r : was.recent) {
    CHECK(recent_text(r).find('\n') == std::string::npos);
    CHECK(recent_text(r).find('\x1b') == std::string::npos);
  }
  // TOML is UTF-8, and a path need not be.
  was.recent.push_back({"/\xff\xfe", "", ""});
  CHECK(from_toml(to_toml(was)).recent.size() == names.size());
}

TEST_CASE("remembered: odd lists of what was opened are read as far as they make sense") {
  for (const char* odd :
       {"[[recent]]\n", "[[recent]]\ntarget = /x\n", "[[recent]]\ntarget = \"a\n",
        "[[recent]]\ntarget = \"\\u0000\"\n", "[[recent]]\ntarget = \"\\q\"\n",
        "[[recent]]\ntarget = 3\nresults = [\"a\"]\n", "[[recent]]\nreference = \"a\"\n"}) {
    CAPTURE(odd);
    CHECK(from_toml(odd).recent.empty());
  }
  std::string many;
  for (int i = 0; i < 50; ++i) many += fmt::format("[[recent]]\ntarget = \"/{}\"\n", i);
  CHECK(from_toml(many).recent.size() == kMostRecent);
  CHECK(from_toml(many).recent.front().target == "/0");
  CHECK(from_toml("[[recent]]\ntarget = \"" + std::string(100'000, 'x') + "\"").recent.empty());
}

TEST_CASE("remembered: the latest is first and once, and ten are kept") {
  std::vector<OpenArgs> recent;
  for (int i = 0; i < 30; ++i) add_recent(recent, {fmt::format("/{}", i), "", ""});
  REQUIRE(recent.size() == kMostRecent);
  CHECK(recent.front().target == "/29");
  add_recent(recent, recent[4]);
  CHECK(recent.front().target == "/25");
  CHECK(recent.size() == kMostRecent);
  add_recent(recent, {});
  CHECK(recent.front().target == "/25");
  CHECK(anywhere({"org/name", "", ""}).target == "org/name");
  CHECK(anywhere({".", "", ""}).target.front() == '/');
}

TEST_CASE("recent: what opens is remembered, what does not is not, and a click opens it again") {
  const std::string model = testing::golden_model("A-causallm-bf16");
  App app({.open = {}, .check = false});
  app.recent = {{model, "", ""}, {"/nowhere\x1b", "", ""}};
  std::vector<Line> lines = overview_lines(app);
  CHECK(lines.front().target == "action app.open");
  REQUIRE(lines.size() == 4);
  CHECK(lines[2].target == "recent 0");
  CHECK(lines[3].text == "/nowhere\\x1b");

  choose(app, {"", lines[3].target});
  testing::OpenPair::settle(app);
  CHECK(app.session() == nullptr);
  CHECK_FALSE(app.error.empty());
  CHECK(app.recent.size() == 2);
  CHECK(app.recent.front().target == model);
  CHECK(overview_lines(app).size() == 5);  // and why

  (void)act(app, "app.recent");
  CHECK(app.overlays.palette);
  const auto choices = palette_choices(app, 10);
  REQUIRE(!choices.empty());
  CHECK(choices[0].target.starts_with("recent "));
  choose(app, {"", "recent 0"});
  testing::OpenPair::settle(app);
  REQUIRE(app.session() != nullptr);
  CHECK(app.opened().target == model);
  CHECK(app.recent.size() == 2);
  choose(app, {"", "recent 7"});  // there is none
  CHECK(app.session() != nullptr);
}

}  // namespace ckpt::gui
