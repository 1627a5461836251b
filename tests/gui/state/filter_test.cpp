#include "gui/state/filter.h"

#include <doctest/doctest.h>

namespace ckpt::gui {
namespace {

const std::vector<std::string> kCodes{"QNT004", "VAL001"};
const FilterRow kRow{
    "model.layers.39.mlp.experts.17.down_proj.qweight", "I32", 39, 17, 4, 8192, 0.03, &kCodes};

bool matches(std::string_view text) {
  const auto filter = Filter::parse(text);
  REQUIRE(filter.has_value());
  return filter->matches(kRow);
}

}  // namespace

TEST_CASE("filter: each kind of term holds and fails as the language says") {
  for (const std::string_view yes :
       {"", "l39e17down", "L39 DOWN", "=experts.17.", "/experts\\.1[0-9]\\.down/", "layer:39",
        "expert:17", "bits:4", "dtype:i32", "finding:QNT004", "finding:QNT", "bytes>8K",
        "bytes<=8192", "error>0.02", "-l40", "-/gate/",
        "name:model.layers.39.mlp.experts.17.down_proj.qweight", "layer:39 expert:17 down"}) {
    CAPTURE(yes);
    CHECK(matches(yes));
  }
  for (const std::string_view no :
       {"l40", "nwod39l", "=EXPERTS", "/experts\\.2/", "layer:3", "bits:8", "dtype:bf16",
        "finding:QNT005", "bytes>1G", "error>0.03", "-down", "layer:39 expert:18"}) {
    CAPTURE(no);
    CHECK_FALSE(matches(no));
  }
}

TEST_CASE("filter: a wrong term is named, with the field that was probably meant") {
  const auto field = Filter::parse("dtipe:bf16");
  REQUIRE_FALSE(field.has_value());
  CHECK(field.error().message.find("did you mean `dtype`") != std::string::npos);
  CHECK_FALSE(Filter::parse("bytes>big").has_value());
  CHECK_FALSE(Filter::parse("/a(b/").has_value());
}

TEST_CASE("filter: what is unknown satisfies no comparison") {
  FilterRow row = kRow;
  row.error = -1;
  CHECK_FALSE(Filter::parse("error<1")->matches(row));
  CHECK(Filter::parse("-error<1")->matches(row));
}

TEST_CASE("fuzzy_score: nearer and earlier letters come first, no match is 0") {
  CHECK(fuzzy_score("head", "lm_head.weight") > fuzzy_score("head", "hidden.exact.array.data"));
  CHECK(fuzzy_score("lm", "lm_head") > fuzzy_score("lm", "final_norm"));
  CHECK(fuzzy_score("xyz", "lm_head") == 0);
  CHECK(fuzzy_score("", "lm_head") == 0);
}

}  // namespace ckpt::gui
