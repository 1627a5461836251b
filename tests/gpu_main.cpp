// Runs tests on a real device, or says why there is none and returns what CTest counts as skipped.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/kernels/device.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  const auto device = ckpt::kernels::test::open_device();
  if (!device) {
    fmt::print("skipped: {}\n", device.error().message);
    return kSkipped;
  }
  fmt::print("on {}\n", (*device)->name());
  return doctest::Context(argc, argv).run();
}
