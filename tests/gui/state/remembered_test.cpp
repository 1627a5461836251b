#include "gui/state/remembered.h"

#include <doctest/doctest.h>

namespace ckpt::gui {

TEST_CASE("remembered: what was written is read, what is odd keeps the default") {
  const Remembered was{{1600, 900}, false, 1.25F};
  const Remembered is = from_toml(to_toml(was));
  CHECK(is.size == was.size);
  CHECK_FALSE(is.dark);
  CHECK(is.scale == 1.25F);
  const Remembered odd = from_toml("width = -3\nheight = 99999999\nscale_percent = x\n= \ntheme\n");
  CHECK(odd.size == Remembered{}.size);
  CHECK(odd.scale == 1);
  CHECK(odd.dark);
}

}  // namespace ckpt::gui
