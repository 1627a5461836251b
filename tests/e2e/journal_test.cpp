// A run that was stopped goes on to the same bits; a run cut into shards adds up to the same bits.

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "tests/e2e/golden.h"
#include "validator/metrics/collector.h"
#include "validator/pipeline/journal.h"

namespace ckpt::e2e {

namespace {

const PairCase kM{fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-w4a16-autoround", "tokens_S"};

/// A folder that goes when the test ends.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/ckpt-journal-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }

  ~Folder() { std::filesystem::remove_all(path_); }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Asks the run to stop after some layers have been reported.
class StopAfter final : public forward::Observer {
 public:
  StopAfter(std::stop_source& source, int layers) : source_(source), left_(layers) {}

  void on_routing(int, const forward::LayerRouting&) override {}

  void on_expert(int, int, const forward::ExpertSquares&) override {}

  void on_layer(int, const forward::LayerSquares&) override {
    if (--left_ == 0) source_.request_stop();
  }

  void on_positions(std::int64_t, std::span<const kernels::Divergence>) override {}

 private:
  std::stop_source& source_;
  int left_;
};

struct Options {
  std::string journal;
  int stop_after = 0;
  std::size_t first = 0, count = 1000;
  std::uint64_t memory = 1ULL << 30;
  forward::Mode mode = forward::Mode::fp32;
  std::span<const forward::Variant> variants;
};

Result<pipeline::KlOutcome> measure(const Options& o) {
  const auto r = pipeline::open_target(kM.root + "/models/" + kM.reference);
  const auto c = pipeline::open_target(kM.root + "/models/" + kM.candidate);
  REQUIRE(r);
  REQUIRE(c);
  const auto all = read_tokens(kM);
  const std::size_t end = std::min(all.size(), o.first + o.count);
  const std::vector<std::vector<std::int32_t>> tokens(
      all.begin() + static_cast<std::ptrdiff_t>(o.first),
      all.begin() + static_cast<std::ptrdiff_t>(end));
  ThreadPool pool(2);
  NoProgress progress;
  std::stop_source source;
  StopAfter stop(source, o.stop_after);
  return pipeline::run_kl({.reference = **r,
                           .candidate = **c,
                           .sequences = tokens,
                           .pool = pool,
                           .progress = progress,
                           .mode = o.mode,
                           .variants = o.variants,
                           .memory_bytes = o.memory,
                           .journal = o.journal,
                           .journal_interval = std::chrono::seconds(0),
                           .stop = source.get_token(),
                           .note = {},
                           .observer = &stop});
}

std::string numbers(const pipeline::KlOutcome& out) {
  results::Results all;
  all.metrics = out.metrics;
  return results::to_json(all) + out.record.save();
}

}  // namespace

TEST_CASE("a stopped run goes on from its journal to the bits of an unbroken one") {
  const forward::Variant variants[] = {{forward::Stream::reference, {{.layer = 1}}},
                                       {forward::Stream::candidate, {{.layer = 0}}}};
  for (const auto mode : {forward::Mode::fp32, forward::Mode::bf16}) {
    const auto whole = measure({.mode = mode, .variants = variants});
    REQUIRE(whole);
    const Folder folder;
    const auto stopped =
        measure({.journal = folder.path(), .stop_after = 1, .mode = mode, .variants = variants});
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().kind == ErrorKind::cancelled);
    REQUIRE(std::filesystem::exists(folder.path() + "/state.safetensors"));
    const auto resumed = measure({.journal = folder.path(), .mode = mode, .variants = variants});
    REQUIRE_MESSAGE(resumed.has_value(), (resumed ? "" : resumed.error().message));
    CHECK(numbers(*resumed) == numbers(*whole));
    // Once more: everything is there already.
    const auto again = measure({.journal = folder.path(), .mode = mode, .variants = variants});
    REQUIRE(again);
    CHECK(numbers(*again) == numbers(*whole));
  }
}

TEST_CASE("a journal of another run is refused, and a damaged one is an error") {
  const Folder folder;
  REQUIRE(measure({.journal = folder.path()}));
  const auto other = measure({.journal = folder.path(), .mode = forward::Mode::bf16});
  REQUIRE_FALSE(other);
  CHECK(other.error().kind == ErrorKind::usage);
  CHECK(other.error().message.find("another run") != std::string::npos);
  const std::string path = folder.path() + "/state.safetensors";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  CHECK_FALSE(measure({.journal = folder.path()}));
}

TEST_CASE("shards of the sequences add up to the bits of one run") {
  const auto whole = measure({});
  REQUIRE(whole);
  const std::size_t sequences = whole->record.lengths.size();
  REQUIRE(sequences >= 3);
  for (const std::size_t cut : {std::size_t{1}, sequences - 1}) {
    auto first = measure({.count = cut});
    const auto second = measure({.first = cut});
    REQUIRE(first);
    REQUIRE(second);
    REQUIRE(first->record.append(second->record));
    config::ModelConfig config;
    const auto r = pipeline::open_target(kM.root + "/models/" + kM.reference);
    REQUIRE(r);
    pipeline::KlOutcome merged{metrics::metrics_of(first->record, (*r)->config.text),
                               std::move(first->record)};
    CHECK(numbers(merged) == numbers(*whole));
  }
}

}  // namespace ckpt::e2e
