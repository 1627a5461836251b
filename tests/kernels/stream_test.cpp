// The way of weights to the device, on the emulated one: what overlaps, what fits, what is freed.

#include <doctest/doctest.h>

#include <deque>

#include "kernels/cuda/cuda_ops.h"
#include "tests/kernels/backends.h"

namespace ckpt::kernels::test {

namespace {

constexpr std::int64_t kSide = 256;
constexpr std::size_t kMatrixBytes = std::size_t{kSide} * kSide * 4;

std::unique_ptr<Ops> open(const emulator::Machine& machine, std::uint64_t memory = 0) {
  emulator::use(machine);
  auto ops = cuda::CudaOps::open(0, memory, "cuda emulated");
  REQUIRE(ops);
  emulator::use(machine);  // the clock starts here
  return std::move(*ops);
}

struct Work {
  std::vector<float> weights = random_floats(kSide * kSide, 1);
  MatrixView view{.storage = Storage::f32, .n = kSide, .k = kSide, .data = bytes_of(weights)};

  [[nodiscard]] std::unique_ptr<Matrix> matrix(Ops& ops) const {
    auto made = ops.matrix(view);
    REQUIRE(made);
    return std::move(*made);
  }
};

// Virtual time of `count` products, each with a weight of its own that is made `ahead` products
// before its turn.
double time_of(Ops& ops, const Work& work, int count, int ahead) {
  auto memory = ops.allocate(2 * kSide);
  REQUIRE(memory);
  const Rows x{memory->data(), 1, kSide, kSide};
  const Rows y{memory->data() + kSide, 1, kSide, kSide};
  REQUIRE(ops.fill(x, 1));
  std::deque<std::unique_ptr<Matrix>> made;
  const double start = emulator::clock();
  for (int i = 0; i < count; ++i) {
    while (static_cast<int>(made.size()) <= ahead) made.push_back(work.matrix(ops));
    const GemmPart part{made.front().get(), y};
    REQUIRE(ops.gemm({x, {&part, 1}, Rounding::none}));
    std::vector<float> out(kSide);
    REQUIRE(ops.read(y, out));  // as the forward pass does: its numbers are needed on the host
    made.pop_front();
  }
  return emulator::clock() - start;
}

}  // namespace

TEST_CASE("weights made early travel while others compute") {
  const Work work;
  constexpr double kCopy = 100;
  constexpr double kKernel = 20;
  const emulator::Machine machine{.copy_bytes_per_us = static_cast<double>(kMatrixBytes) / kCopy,
                                  .kernel_us = kKernel};
  const auto ops = open(machine);
  const double late = time_of(*ops, work, 20, 0);
  const double early = time_of(*ops, work, 20, 2);
  CAPTURE(late);
  CAPTURE(early);
  // Decode, multiply, and the rows that are not finite come after the copy; the split does not.
  CHECK(late >= 20 * (kCopy + 3 * kKernel));
  CHECK(early <= 22 * 1.1 * kCopy);
}

TEST_CASE("the budget is kept: what does not fit is an error of memory, and room comes back") {
  const Work work;
  const auto ops = open({.memory = std::size_t{64} << 20}, 4 << 20);
  CHECK(ops->memory() == 4 << 20);
  auto most = ops->allocate(1 << 20);
  REQUIRE(most);
  const auto more = ops->allocate(1);
  REQUIRE_FALSE(more);
  CHECK(more.error().kind == ErrorKind::memory);
  const auto weight = ops->matrix(work.view);
  REQUIRE_FALSE(weight);
  CHECK(weight.error().kind == ErrorKind::memory);
  *most = {};
  CHECK(ops->matrix(work.view));
  for (int i = 0; i < 50; ++i) static_cast<void>(work.matrix(*ops));
  CHECK(emulator::peak_memory() <= 4 << 20);
}

TEST_CASE("a device that other programs fill refuses without harm") {
  const auto ops = open({.memory = 1 << 20});
  CHECK(ops->memory() < 1 << 20);
  const auto memory = ops->allocate(1 << 20);
  REQUIRE_FALSE(memory);
  CHECK(memory.error().kind == ErrorKind::memory);
}

TEST_CASE("a weight that is dropped before its bytes arrived leaves nothing behind") {
  const Work work;
  emulator::use({});
  const std::size_t before = emulator::live_allocations();
  for (const std::uint64_t order : {1U, 2U, 3U, 4U}) {
    auto ops = open({.copy_bytes_per_us = 1, .order = order});
    for (int i = 0; i < 10; ++i) static_cast<void>(work.matrix(*ops));
    auto kept = ops->allocate(16);
    REQUIRE(kept);
    *kept = {};
    ops.reset();
    CHECK(emulator::live_allocations() == before);
  }
}

TEST_CASE("results do not depend on the order in which the device takes work up") {
  const Work work;
  std::vector<float> first;
  for (std::uint64_t order = 1; order <= 6; ++order) {
    const auto ops = open({.order = order});
    auto memory = ops->allocate(3 * 40 * kSide);
    REQUIRE(memory);
    const Rows x{memory->data(), 40, kSide, kSide};
    const Rows y{memory->data() + 40 * kSide, 40, kSide, kSide};
    const Rows z{memory->data() + 80 * kSide, 40, kSide, kSide};
    REQUIRE(ops->write(x, random_floats(40 * kSide, 5)));
    const auto a = work.matrix(*ops);
    const auto b = work.matrix(*ops);
    const GemmPart there{a.get(), y};
    REQUIRE(ops->gemm({x, {&there, 1}, Rounding::none}));
    REQUIRE(ops->rms_norm({.x = as_heads(y), .y = as_heads(y), .weight = random_floats(kSide, 6)}));
    const GemmPart back{b.get(), z};
    REQUIRE(ops->gemm({y, {&back, 1}, Rounding::bf16}));
    std::vector<float> out(40 * kSide);
    REQUIRE(ops->read(z, out));
    if (first.empty()) first = out;
    CHECK(same_bits(first, out));
  }
}

}  // namespace ckpt::kernels::test
