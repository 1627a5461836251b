#include <doctest/doctest.h>

#include "tests/support.h"
#include "validator/rules/catalogue.h"

namespace ckpt::rules {

TEST_CASE("docs/rules.md is what the registry gives") {
  const std::string page = testing::read_all(std::string(CKPT_SOURCE) + "/docs/rules.md");
  CHECK_MESSAGE(page == catalogue_markdown(), "write it again: ckpt-check rules --markdown");
}

}  // namespace ckpt::rules
