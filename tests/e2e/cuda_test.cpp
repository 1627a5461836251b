// Whole runs with the CUDA backend, on the emulated device or a real one, against the processor's.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/e2e/golden.h"
#include "tests/kernels/device.h"

namespace ckpt::e2e {

namespace {

const PairCase kPair{fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-w4a16-autoround", "tokens_S"};

class Positions final : public forward::Observer {
 public:
  std::vector<kernels::Divergence> all;

  void on_routing(int, const forward::LayerRouting&) override {}

  void on_expert(int, int, const forward::ExpertSquares&) override {}

  void on_layer(int, const forward::LayerSquares&) override {}

  void on_positions(std::int64_t, std::span<const kernels::Divergence> p) override {
    all.insert(all.end(), p.begin(), p.end());
  }
};

struct Short {
  std::unique_ptr<pipeline::OpenedRepo> reference, candidate;
  std::vector<std::vector<std::int32_t>> tokens;
  ThreadPool pool{2};
  NoProgress progress;
  std::vector<std::string> notes;

  // Two sequences of the golden pair M, cut: the emulated device takes a second for a GFLOP.
  Short() {
    const PairCase& c = kPair;
    reference = *pipeline::open_target(c.root + "/models/" + c.reference);
    candidate = *pipeline::open_target(c.root + "/models/" + c.candidate);
    const auto whole = read_tokens(c);
    tokens = {{whole[0].begin(), whole[0].begin() + 9}, {whole[1].begin(), whole[1].begin() + 4}};
  }

  Result<pipeline::KlOutcome> run(forward::Mode mode, kernels::Ops* ops, Positions& positions,
                                  std::span<kernels::Ops* const> devices = {}) {
    return pipeline::run_kl({.reference = *reference,
                             .candidate = *candidate,
                             .sequences = tokens,
                             .pool = pool,
                             .progress = progress,
                             .ops = ops,
                             .devices = devices,
                             .mode = mode,
                             .memory_bytes = 1ULL << 30,
                             .stop = {},
                             .note = [this](std::string_view n) { notes.emplace_back(n); },
                             .observer = devices.empty() ? &positions : nullptr});
  }
};

std::unique_ptr<kernels::Ops> device(std::uint64_t order, int index = 0) {
  auto ops = kernels::test::open_device(order, index);
  REQUIRE(ops);
  return std::move(*ops);
}

}  // namespace

TEST_CASE("the CUDA backend gives the processor's numbers, and the same bits in any order") {
  Short s;
  for (const forward::Mode mode : {forward::Mode::fp32, forward::Mode::bf16}) {
    CAPTURE(forward::mode_name(mode));
    Positions cpu;
    Positions first;
    Positions second;
    const auto want = s.run(mode, nullptr, cpu);
    const auto got = s.run(mode, device(3).get(), first);
    const auto again = s.run(mode, device(4).get(), second);
    REQUIRE(want);
    REQUIRE(got);
    REQUIRE(again);
    REQUIRE(cpu.all.size() == first.all.size());
    const double mean = want->metrics.kl.mean;
    MESSAGE("mean KL " << mean << " nats on the processor, apart by "
                       << got->metrics.kl.mean - mean);
    CHECK(std::abs(got->metrics.kl.mean - mean) <= std::max(1e-5, 0.01 * mean));
    CHECK(got->metrics.kl.mean == again->metrics.kl.mean);
    for (std::size_t i = 0; i < cpu.all.size(); ++i) {
      if (mode == forward::Mode::fp32) {
        CHECK(std::abs(first.all[i].kl - cpu.all[i].kl) <= 1e-5);
        CHECK(first.all[i].argmax_reference == cpu.all[i].argmax_reference);
      }
      CHECK(first.all[i].kl == second.all[i].kl);
      CHECK(first.all[i].lse_reference == second.all[i].lse_reference);
    }
  }
}

TEST_CASE("the processor and a CUDA device share the layers of one run") {
  Short s;
  ThreadPool pool(1);
  const auto cpu = kernels::make_cpu_ops(pool);
  REQUIRE(cpu);
  const auto cuda = device(5, 1);  // not the device that its thread begins with
  kernels::Ops* const devices[] = {cpu->get(), cuda.get()};
  Positions positions;
  const auto want = s.run(forward::Mode::fp32, cpu->get(), positions);
  const auto got = s.run(forward::Mode::fp32, devices[0], positions, devices);
  REQUIRE(want);
  REQUIRE_MESSAGE(got.has_value(), (got ? "" : got.error().message));
  CHECK(std::abs(got->metrics.kl.mean - want->metrics.kl.mean) <= 1e-5);
  CHECK(got->metrics.kl.mean != want->metrics.kl.mean);  // some layers were the device's
  CHECK(got->metrics.layers.size() == want->metrics.layers.size());
}

#ifndef CKPT_TEST_DEVICE

TEST_CASE("a run that the device refuses memory goes on in smaller pieces") {
  Short s;
  Positions whole;
  Positions pieces;
  const auto want = s.run(forward::Mode::fp32, device(1).get(), whole);
  s.notes.clear();
  const auto ops = device(1);
  emulator::use({.refuse = 400});
  const auto got = s.run(forward::Mode::fp32, ops.get(), pieces);
  REQUIRE(want);
  REQUIRE(got);
  CHECK(got->metrics.kl.mean == want->metrics.kl.mean);
  const bool told = std::any_of(s.notes.begin(), s.notes.end(), [](const std::string& note) {
    return note.find("out of memory: again in smaller pieces") != std::string::npos;
  });
  CHECK(told);
}

#endif

}  // namespace ckpt::e2e
