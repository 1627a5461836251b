// The card's block and front matter: what is ours is replaced, every other byte stays.

#include "reports/card.h"

#include <doctest/doctest.h>

#include "reports/formats.h"
#include "tests/reports/hostile.h"

namespace ckpt::reports {
namespace {

const std::string kBegin = "<!-- ckpt-check:begin -->";
const std::string kEnd = "<!-- ckpt-check:end -->";

results::Results plain() {
  return testing::sample_results([](std::string_view name) { return std::string(name); });
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) ++n;
  return n;
}

}  // namespace

TEST_CASE("the block goes to the end, later into its own place, and nothing else changes") {
  const std::string block = *render_card({plain()}, {});
  CHECK(block.starts_with(kBegin));
  CHECK(block.ends_with(kEnd + "\n"));
  const std::string added = *update_card("# Model\r\n\r\ntext", block);
  CHECK(added == "# Model\r\n\r\ntext\n\n" + block);
  CHECK(*update_card(added, block) == added);
  const std::string between = "before\n" + kBegin + "\nold\n" + kEnd + "\nafter\r\n";
  CHECK(*update_card(between, block) == "before\n" + block + "after\r\n");
  CHECK(*update_card("", block) == block);
}

TEST_CASE("markers that do not fit are an error, not a guess") {
  const std::string b = kBegin + "\n";
  const std::string e = kEnd + "\n";
  for (const std::string& card : {b + "y", "x\n" + e, e + b, b + b + e, b + e + e}) {
    CAPTURE(card);
    CHECK(update_card(card, "block").error().kind == ErrorKind::format);
  }
}

TEST_CASE("a marker inside a line is text") {
  const std::string card = "---\nname: \"a " + kEnd + "\"\n---\n" + kBegin + " b\n";
  CHECK(*update_card(card, "block\n") == card + "\nblock\n");
}

TEST_CASE("hostile text cannot end the block") {
  for (const results::Results& r : {testing::hostile_results(), testing::raw_results()}) {
    const std::string block = *render_card({r}, {});
    CHECK(count_of(block, kEnd) == 1);
    CHECK(count_of(block, "<script") == 0);
    const std::string card = *update_card("# Model\n", block);
    CHECK(*update_card(card, block) == card);
  }
}

TEST_CASE("front matter: made, extended, and our entry found again") {
  const results::Results r = plain();
  const std::string made = *update_front_matter("# Model\n", r);
  CHECK(made.starts_with("---\nmodel-index:\n# ckpt-check:begin\n- name: \"repo_id\"\n"));
  CHECK(made.ends_with("# ckpt-check:end\n---\n# Model\n"));
  CHECK(*update_front_matter(made, r) == made);

  const std::string added = *update_front_matter("---\nlicense: mit\n---\n# Model\n", r);
  CHECK(added.starts_with("---\nlicense: mit\nmodel-index:\n# ckpt-check:begin\n"));
  CHECK(*update_front_matter(added, r) == added);

  const std::string other =
      "---\nmodel-index:\n  - name: mine\n    results: []\nlicense: mit\n---\n# Model\n";
  const std::string beside = *update_front_matter(other, r);
  CHECK(
      beside.starts_with("---\nmodel-index:\n  - name: mine\n    results: []\n"
                         "  # ckpt-check:begin\n  - name: \"repo_id\"\n"));
  CHECK(beside.ends_with("  # ckpt-check:end\nlicense: mit\n---\n# Model\n"));
  CHECK(*update_front_matter(beside, r) == beside);
}

TEST_CASE("front matter that cannot be edited by lines is left alone") {
  const results::Results r = plain();
  CHECK(update_front_matter("---\nlicense: mit\n", r).error().kind == ErrorKind::format);
  CHECK(update_front_matter("---\nmodel-index: [{name: a}]\n---\n", r).error().kind ==
        ErrorKind::format);
  CHECK(update_front_matter("---\n# ckpt-check:begin\n---\n", r).error().kind == ErrorKind::format);
  CHECK(update_front_matter("", results::Results{}).error().kind == ErrorKind::not_found);
}

}  // namespace ckpt::reports
