// A run that was stopped goes on to the same bits; a run cut into shards adds up to the same bits.

#include <doctest/doctest.h>

#include <fstream>

#include "tests/e2e/golden.h"
#include "tests/support.h"
#include "validator/metrics/collector.h"
#include "validator/pipeline/journal.h"
#include "validator/pipeline/part.h"

namespace ckpt::e2e {

namespace {

const PairCase kM{fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-w4a16-autoround", "tokens_S"};

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
    const testing::TempDir folder;
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
  const testing::TempDir folder;
  REQUIRE(measure({.journal = folder.path()}));
  const auto other = measure({.journal = folder.path(), .mode = forward::Mode::bf16});
  REQUIRE_FALSE(other);
  CHECK(other.error().kind == ErrorKind::usage);
  CHECK(other.error().message.find("another run") != std::string::npos);
  const std::string path = folder.path() + "/state.safetensors";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  CHECK_FALSE(measure({.journal = folder.path()}));
}

TEST_CASE("shards of the sequences, through files, add up to the bits of one run") {
  const auto whole = measure({});
  REQUIRE(whole);
  const std::size_t sequences = whole->record.lengths.size();
  REQUIRE(sequences >= 3);
  const auto all = read_tokens(kM);
  const auto r = pipeline::open_target(kM.root + "/models/" + kM.reference);
  REQUIRE(r);
  const testing::TempDir folder;
  std::vector<pipeline::Part> parts;
  for (std::uint32_t i = 3; i >= 1; --i) {
    const pipeline::Shard shard{i, 3};
    const auto [first, last] = pipeline::shard_range(shard, sequences);
    auto out = measure({.first = first, .count = last - first});
    REQUIRE(out);
    pipeline::Part part{.key = "same",
                        .shard = shard,
                        .results = {},
                        .layer_types = (*r)->config.text.layer_types,
                        .record = std::move(out->record),
                        .tokens = {}};
    for (std::size_t s = first; s < last; ++s) {
      part.tokens.insert(part.tokens.end(), all[s].begin(), all[s].end());
    }
    const std::string path = folder.path() + "/part." + std::to_string(i);
    REQUIRE(pipeline::save_part(path, part));
    auto loaded = pipeline::load_part(path);
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message));
    parts.push_back(*std::move(loaded));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
    CHECK_FALSE(pipeline::load_part(path));
  }
  CHECK_FALSE(pipeline::merge_parts({parts[0], parts[1]}));            // one is missing
  CHECK_FALSE(pipeline::merge_parts({parts[0], parts[0], parts[2]}));  // one twice
  auto other = parts;
  other[1].key = "another";
  CHECK_FALSE(pipeline::merge_parts(other));
  const auto merged = pipeline::merge_parts(parts);
  REQUIRE(merged);
  CHECK(merged->tokens.size() == whole->record.positions.size());
  CHECK(numbers({*merged->results.metrics, merged->record}) == numbers(*whole));
}

TEST_CASE("a shard is named I/N with I from 1 to N") {
  CHECK(pipeline::parse_shard("2/8")->count == 8);
  for (const char* bad : {"", "2", "0/3", "4/3", "1/", "/3", "a/b", "1/3x", "-1/3"}) {
    CAPTURE(bad);
    CHECK_FALSE(pipeline::parse_shard(bad));
  }
  CHECK(pipeline::shard_range({1, 3}, 2).second == 0);
  CHECK(pipeline::shard_range({3, 3}, 10) == std::pair<std::size_t, std::size_t>{6, 10});
}

}  // namespace ckpt::e2e
