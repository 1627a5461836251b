// Layers shared by several processes, here threads with queues between them: the bits of one run.

#include "validator/pipeline/shared_run.h"

#include <doctest/doctest.h>

#include <numeric>
#include <thread>

#include "tests/e2e/golden.h"
#include "validator/forward/modules.h"
#include "validator/pipeline/local_transport.h"

namespace ckpt::e2e {

namespace {

const PairCase kA{fixture_root(), "A-causallm-bf16", "A-causallm-w4a16-autoround", "tokens_S"};

struct Options {
  std::uint64_t memory = 1ULL << 30;
  forward::Mode mode = forward::Mode::fp32;
  std::span<const forward::Variant> variants;
  bool noise_floor = false;
  int stops = -1;  // rank that is told to stop before it begins
  int other = -1;  // rank that has other tokens
  std::string* notes = nullptr;
};

struct Repos {
  std::unique_ptr<pipeline::OpenedRepo> reference, candidate;

  Repos() {
    auto r = pipeline::open_target(kA.root + "/models/" + kA.reference);
    auto c = pipeline::open_target(kA.root + "/models/" + kA.candidate);
    REQUIRE(r);
    REQUIRE(c);
    reference = *std::move(r);
    candidate = *std::move(c);
  }
};

Result<pipeline::KlOutcome> measure(const Options& o, pipeline::Transport* transport = nullptr,
                                    std::span<kernels::Ops* const> devices = {}) {
  const Repos repos;
  const int rank = transport == nullptr ? 0 : transport->rank();
  auto tokens = read_tokens(kA);
  if (rank == o.other) tokens[0][0] ^= 1;
  ThreadPool pool(1);
  NoProgress progress;
  std::stop_source stop;
  if (rank == o.stops) stop.request_stop();
  return pipeline::run_kl({.reference = *repos.reference,
                           .candidate = *repos.candidate,
                           .sequences = tokens,
                           .pool = pool,
                           .progress = progress,
                           .ops = devices.empty() ? nullptr : devices.front(),
                           .devices = devices,
                           .mode = o.mode,
                           .variants = o.variants,
                           .noise_floor = o.noise_floor,
                           .memory_bytes = o.memory + static_cast<std::uint64_t>(rank),
                           .transport = transport,
                           .stop = stop.get_token(),
                           .note = [&o](std::string_view text) {
                             if (o.notes != nullptr) *o.notes += text;
                           }});
}

/// The least memory, in steps, that a run takes: then its tokens need several passes.
std::uint64_t least_memory() {
  for (std::uint64_t memory = 64ULL << 20; memory < 128ULL << 20; memory += 1ULL << 20) {
    std::string notes;
    if (!measure({.memory = memory, .notes = &notes})) continue;
    REQUIRE_MESSAGE(notes.find("passes of") != std::string::npos, notes);
    return memory;
  }
  FAIL("no memory is enough");
  return 0;
}

/// What each of `size` threads came to; nothing is left in the post.
std::vector<Result<pipeline::KlOutcome>> measure_shared(int size, const Options& o) {
  pipeline::Post post(size);
  std::vector<Result<pipeline::KlOutcome>> out(static_cast<std::size_t>(size),
                                               fail(ErrorKind::internal, "did not run"));
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        pipeline::LocalTransport transport(post, rank);
        out[static_cast<std::size_t>(rank)] = measure(o, &transport);
      });
    }
  }
  CHECK(post.empty());
  return out;
}

std::string numbers(const pipeline::KlOutcome& out) {
  const auto all = std::make_unique<results::Results>();
  all->metrics = out.metrics;
  return results::to_json(*all) + out.record.save();
}

}  // namespace

TEST_CASE("layers are cut into neighbours of about the same size, none of them empty") {
  using V = std::vector<std::uint64_t>;
  CHECK(pipeline::split_layers(V{1, 1, 1, 1}, 1) == std::vector<int>{0, 4});
  CHECK(pipeline::split_layers(V{1, 1, 1, 1}, 2) == std::vector<int>{0, 2, 4});
  CHECK(pipeline::split_layers(V{1, 1, 1, 1}, 4) == std::vector<int>{0, 1, 2, 3, 4});
  CHECK(pipeline::split_layers(V{1, 1, 1, 9}, 2) == std::vector<int>{0, 3, 4});
  CHECK(pipeline::split_layers(V{9, 1, 1, 1}, 2) == std::vector<int>{0, 1, 4});
  CHECK(pipeline::split_layers(V{0, 0, 0}, 3) == std::vector<int>{0, 1, 2, 3});
  CHECK(pipeline::split_layers(V{100, 1, 1}, 3) == std::vector<int>{0, 1, 2, 3});
  CHECK(pipeline::split_layers(V{1, 1}, 3).empty());
  CHECK(pipeline::split_layers(V{}, 1).empty());
  const V many(60, 7);
  for (int parts = 1; parts <= 60; ++parts) {
    const std::vector<int> bounds = pipeline::split_layers(many, parts);
    REQUIRE(bounds.size() == static_cast<std::size_t>(parts) + 1);
    for (int p = 0; p < parts; ++p) {
      const auto at = static_cast<std::size_t>(p);
      CHECK(std::abs((bounds[at + 1] - bounds[at]) - 60.0 / parts) < 1);
    }
  }
}

TEST_CASE("the processes' shares together ask for every weight of the layers once, in order") {
  const Repos repos;
  const auto model = [](const pipeline::OpenedRepo& o) {
    return weights::Model(o.checkpoint, o.config, *o.blueprint, o.stored);
  };
  const weights::Model reference = model(*repos.reference);
  const weights::Model candidate = model(*repos.candidate);
  const forward::Pair pair{reference, candidate};
  const config::TextConfig& text = repos.reference->config.text;
  using Names = std::vector<std::pair<bool, std::uint32_t>>;
  const auto names = [&](std::span<const int> of, bool head) {
    Names out;
    const auto requests = forward::layer_requests(pair, text, of, head);
    REQUIRE(requests);
    for (const weights::Request& r : *requests) out.emplace_back(r.model == &reference, r.module);
    return out;
  };
  const std::vector<int> layers = forward::all_layers(text);
  const Names all = names(layers, true);
  REQUIRE(all.size() > 100);
  const std::vector<std::uint64_t> equal(layers.size(), 1);
  const auto count = static_cast<int>(layers.size());
  for (int parts = 1; parts <= count; ++parts) {
    for (const auto& owners : {pipeline::owners_of(pipeline::split_layers(equal, parts)),
                               pipeline::deal_layers(layers.size(), parts)}) {
      REQUIRE(owners.size() == layers.size());
      Names together;
      for (int layer = 0; layer < count; ++layer) {
        CHECK(owners[static_cast<std::size_t>(layer)] < parts);
        const Names part = names(std::span(&layer, 1), layer + 1 == count);
        together.insert(together.end(), part.begin(), part.end());
      }
      CHECK(together == all);
      for (int part = 0; part < parts; ++part) CHECK(std::ranges::count(owners, part) > 0);
    }
  }
}

TEST_CASE("every process of a shared run comes to the bits of one run") {
  const forward::Variant variants[] = {{forward::Stream::reference, {{.layer = 1}}},
                                       {forward::Stream::candidate, {{.layer = 0}}},
                                       {forward::Stream::reference, {}}};
  for (const Options& o :
       {Options{}, Options{.mode = forward::Mode::bf16},
        Options{.variants = variants, .noise_floor = true}, Options{.memory = least_memory()}}) {
    const auto whole = measure(o);
    REQUIRE(whole);
    for (const int size : {2, 3, 4}) {
      CAPTURE(size);
      for (const auto& one : measure_shared(size, o)) {
        REQUIRE_MESSAGE(one.has_value(), (one ? "" : one.error().message));
        CHECK(numbers(*one) == numbers(*whole));
      }
    }
  }
}

TEST_CASE("what one process meets ends the run of all, with its rank, and nobody waits") {
  for (const int rank : {0, 1, 2}) {
    CAPTURE(rank);
    for (const auto& one : measure_shared(3, {.stops = rank})) {
      REQUIRE_FALSE(one);
      CHECK(one.error().kind == ErrorKind::cancelled);
      CHECK(one.error().message.find("device " + std::to_string(rank)) != std::string::npos);
    }
    for (const auto& one : measure_shared(3, {.other = rank})) {
      REQUIRE_FALSE(one);
      CHECK(one.error().kind == ErrorKind::usage);
      CHECK(one.error().message.find("another run") != std::string::npos);
    }
  }
}

TEST_CASE("several backends of one process share the layers and come to the bits of one") {
  const forward::Variant variants[] = {{forward::Stream::candidate, {{.layer = 2}}}};
  const Options o{.variants = variants, .noise_floor = true};
  const auto whole = measure(o);
  REQUIRE(whole);
  std::vector<std::unique_ptr<ThreadPool>> pools;  // each serves one thread
  std::vector<std::unique_ptr<kernels::Ops>> owned;
  std::vector<kernels::Ops*> devices;
  for (int i = 0; i < 3; ++i) {
    auto ops = kernels::make_cpu_ops(*pools.emplace_back(std::make_unique<ThreadPool>(1)));
    REQUIRE(ops);
    devices.push_back(owned.emplace_back(*std::move(ops)).get());
  }
  const auto shared = measure(o, nullptr, devices);
  REQUIRE_MESSAGE(shared.has_value(), (shared ? "" : shared.error().message));
  CHECK(numbers(*shared) == numbers(*whole));
  const auto stopped = measure({.stops = 0}, nullptr, devices);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::cancelled);
  CHECK(stopped.error().message.find("device 0") != std::string::npos);
}

TEST_CASE("more processes than layers are refused by all") {
  for (const auto& one : measure_shared(65, {})) {
    REQUIRE_FALSE(one);
    CHECK(one.error().message.find("65 devices") != std::string::npos);
  }
}

}  // namespace ckpt::e2e
