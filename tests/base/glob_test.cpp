#include "validator/base/glob.h"

#include <doctest/doctest.h>

#include <string>

namespace ckpt {

TEST_CASE("globs: any run, any byte, and no blow-up") {
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("a*c", "abbc"));
  CHECK(glob_matches("a?c", "abc"));
  CHECK_FALSE(glob_matches("a?c", "ac"));
  CHECK_FALSE(glob_matches("a*b", "abc"));
  CHECK(glob_matches("layers.*.gate", "layers.3.mlp.gate"));
  CHECK_FALSE(glob_matches("*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

}  // namespace ckpt
