#include "kernels/devices.h"

#include <doctest/doctest.h>

namespace ckpt::kernels::test {

TEST_CASE("a backend is the processor or a list of CUDA devices, each named once") {
  const auto devices = [](std::string_view text) {
    const auto backend = parse_backend(text);
    REQUIRE_MESSAGE(backend.has_value(), text);
    CHECK(backend->cuda() == !backend->devices.empty());
    return backend->devices;
  };
  CHECK(devices("auto").empty());
  CHECK(devices("cpu").empty());
  CHECK(devices("cuda") == std::vector{0});
  CHECK(devices("cuda:3") == std::vector{3});
  CHECK(devices("cuda:1,0,12") == std::vector{1, 0, 12});
  for (const std::string_view wrong :
       {"", "gpu", "cuda:", "cuda:-1", "cuda:0,", "cuda:,0", "cuda:0,0", "cuda:0;1", "cuda:0 ",
        "cuda:99999999999", "cpu:0"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_backend(wrong));
  }
}

TEST_CASE("the processor's backend is one of ops, and needs no plugin") {
  ThreadPool pool(1);
  const auto ops = open_backend({}, pool, 0);
  REQUIRE(ops);
  REQUIRE(ops->size() == 1);
  CHECK(ops->front()->name().starts_with("cpu"));
}

}  // namespace ckpt::kernels::test
