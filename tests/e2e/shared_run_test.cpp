// Layers shared by several processes, here threads with queues between them: the bits of one run.

#include "validator/pipeline/shared_run.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

#include "tests/e2e/golden.h"
#include "validator/forward/modules.h"

namespace ckpt::e2e {

namespace {

const PairCase kA{fixture_root(), "A-causallm-bf16", "A-causallm-w4a16-autoround", "tokens_S"};

/// Queues between every two of some threads.
class Post {
 public:
  explicit Post(int size) : queues_(static_cast<std::size_t>(size * size)), size_(size) {}

  void put(int from, int to, std::string message) {
    const std::scoped_lock lock(mutex_);
    queue(from, to).push_back(std::move(message));
    bytes_ += queue(from, to).back().size();
    changed_.notify_all();
  }

  std::string take(int from, int to) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !queue(from, to).empty(); });
    std::string out = std::move(queue(from, to).front());
    queue(from, to).pop_front();
    return out;
  }

  [[nodiscard]] bool empty() const {
    return std::ranges::all_of(queues_, [](const auto& q) { return q.empty(); });
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::vector<std::deque<std::string>> queues_;
  int size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t bytes_ = 0;

  std::deque<std::string>& queue(int from, int to) {
    return queues_[static_cast<std::size_t>(from * size_ + to)];
  }
};

class Mailbox final : public pipeline::Transport {
 public:
  Mailbox(Post& post, int rank, int size) : post_(post), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }

  int size() const override { return size_; }

  Result<void> send(int to, std::string_view message) override {
    post_.put(rank_, to, std::string(message));
    return {};
  }

  Result<std::string> receive(int from) override { return post_.take(from, rank_); }

 private:
  Post& post_;
  int rank_;
  int size_;
};

struct Options {
  std::uint64_t memory = 1ULL << 30;
  forward::Mode mode = forward::Mode::fp32;
  std::span<const forward::Variant> variants;
  bool noise_floor = false;
  int stops = -1;  // rank that is told to stop before it begins
  int other = -1;  // rank that has other tokens
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

Result<pipeline::KlOutcome> measure(const Options& o, pipeline::Transport* transport = nullptr) {
  const Repos repos;
  const int rank = transport == nullptr ? 0 : transport->rank();
  auto tokens = read_tokens(kA);
  if (rank == o.other) tokens[0][0] ^= 1;
  ThreadPool pool(1);
  NoProgress progress;
  std::stop_source stop;
  if (transport != nullptr && rank == o.stops) stop.request_stop();
  return pipeline::run_kl({.reference = *repos.reference,
                           .candidate = *repos.candidate,
                           .sequences = tokens,
                           .pool = pool,
                           .progress = progress,
                           .mode = o.mode,
                           .variants = o.variants,
                           .noise_floor = o.noise_floor,
                           .memory_bytes = o.memory + static_cast<std::uint64_t>(rank),
                           .transport = transport,
                           .stop = stop.get_token(),
                           .note = {}});
}

/// What each of `size` threads came to; nothing is left in the post.
std::vector<Result<pipeline::KlOutcome>> measure_shared(int size, const Options& o) {
  Post post(size);
  std::vector<Result<pipeline::KlOutcome>> out(static_cast<std::size_t>(size),
                                               fail(ErrorKind::internal, "did not run"));
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        Mailbox mailbox(post, rank, size);
        out[static_cast<std::size_t>(rank)] = measure(o, &mailbox);
      });
    }
  }
  CHECK(post.empty());
  CHECK(post.bytes() > 0);
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
  const auto names = [&](int first, std::optional<int> end) {
    std::vector<std::pair<bool, std::uint32_t>> out;
    const auto requests = forward::layer_requests(pair, text, first, end);
    REQUIRE(requests);
    for (const weights::Request& r : *requests) out.emplace_back(r.model == &reference, r.module);
    return out;
  };
  const auto all = names(0, {});
  REQUIRE(all.size() > 100);
  const auto layers = static_cast<int>(text.num_hidden_layers);
  const std::vector<std::uint64_t> equal(static_cast<std::size_t>(layers), 1);
  for (int parts = 1; parts <= layers; ++parts) {
    const std::vector<int> bounds = pipeline::split_layers(equal, parts);
    std::vector<std::pair<bool, std::uint32_t>> together;
    for (std::size_t p = 0; p + 1 < bounds.size(); ++p) {
      const auto part = names(bounds[p], bounds[p + 1]);
      together.insert(together.end(), part.begin(), part.end());
    }
    CHECK(together == all);
  }
}

TEST_CASE("every process of a shared run comes to the bits of one run") {
  const forward::Variant variants[] = {{forward::Stream::reference, {{.layer = 1}}},
                                       {forward::Stream::candidate, {{.layer = 0}}},
                                       {forward::Stream::reference, {}}};
  for (const Options& o : {Options{}, Options{.mode = forward::Mode::bf16},
                           Options{.variants = variants, .noise_floor = true}}) {
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
      CHECK(one.error().message.find("process " + std::to_string(rank)) != std::string::npos);
    }
    for (const auto& one : measure_shared(3, {.other = rank})) {
      REQUIRE_FALSE(one);
      CHECK(one.error().kind == ErrorKind::usage);
      CHECK(one.error().message.find("another run") != std::string::npos);
    }
  }
}

TEST_CASE("more processes than layers are refused by all") {
  for (const auto& one : measure_shared(65, {})) {
    REQUIRE_FALSE(one);
    CHECK(one.error().message.find("65 processes") != std::string::npos);
  }
}

}  // namespace ckpt::e2e
