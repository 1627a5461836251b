// A bundle stands for the reference: the same bits without its weights, and a refusal where not.

#include "validator/pipeline/bundle.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "tests/e2e/golden.h"
#include "tests/support.h"
#include "validator/metrics/collector.h"

namespace ckpt::e2e {

namespace {

const PairCase kM{fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-w4a16-autoround", "tokens_S"};

struct Opened {
  std::unique_ptr<pipeline::OpenedRepo> reference, candidate;
  std::vector<std::vector<std::int32_t>> tokens = read_tokens(kM);
  ThreadPool pool{2};
  NoProgress progress;

  Opened() {
    reference = *pipeline::open_target(kM.root + "/models/" + kM.reference);
    candidate = *pipeline::open_target(kM.root + "/models/" + kM.candidate);
  }

  pipeline::KlArgs args(forward::Mode mode) {
    return {.reference = *reference,
            .candidate = *candidate,
            .sequences = tokens,
            .pool = pool,
            .progress = progress,
            .mode = mode,
            .local = false,
            .memory_bytes = 1ULL << 30,
            .stop = {},
            .note = {}};
  }

  pipeline::BundleFacts facts(forward::Mode mode, bool layers) {
    const config::TextConfig& text = reference->config.text;
    pipeline::BundleFacts f;
    f.version = CKPT_VERSION;
    f.mode = forward::mode_name(mode);
    f.layers = layers;
    f.head_sha256 = pipeline::head_digest(*reference).value_or("");
    f.config_sha256 = pipeline::config_digest(text);
    f.hidden_size = text.hidden_size;
    f.num_hidden_layers = text.num_hidden_layers;
    f.vocab_size = text.vocab_size;
    return f;
  }

  pipeline::KlOutcome write(const std::string& path, forward::Mode mode, bool layers) {
    auto writer = pipeline::BundleWriter::create(path, facts(mode, layers), tokens);
    REQUIRE(writer);
    pipeline::KlArgs run = args(mode);
    run.observer = writer->get();
    auto out = pipeline::run_kl(run);
    REQUIRE(out);
    REQUIRE((*writer)->finish());
    return *std::move(out);
  }
};

}  // namespace

TEST_CASE("KL from a bundle is KL from the reference, to the bit, in every mode") {
  Opened o;
  const testing::TempDir folder;
  for (const auto mode : {forward::Mode::fp32, forward::Mode::bf16, forward::Mode::fp16}) {
    CAPTURE(forward::mode_name(mode));
    const std::string path = folder.path() + "/" + std::string(forward::mode_name(mode));
    const pipeline::KlOutcome whole = o.write(path, mode, true);
    REQUIRE(pipeline::Bundle::is_one(path));
    const auto bundle = pipeline::Bundle::open(path);
    REQUIRE(bundle);
    CHECK((*bundle)->sequences() == o.tokens);
    const auto out = pipeline::run_kl(o.args(mode), **bundle);
    REQUIRE_MESSAGE(out.has_value(), (out ? "" : out.error().message));
    REQUIRE(out->record.positions.size() == whole.record.positions.size());
    CHECK(std::memcmp(out->record.positions.data(), whole.record.positions.data(),
                      out->record.positions.size() * sizeof(kernels::Divergence)) == 0);
    // The likeliest tokens need the head alone.
    REQUIRE_FALSE(out->record.tops.empty());
    REQUIRE(out->record.tops.size() == whole.record.tops.size());
    CHECK(std::memcmp(out->record.tops.data(), whole.record.tops.data(),
                      out->record.tops.size() * sizeof(metrics::TopPair)) == 0);
    REQUIRE(out->metrics.layers.size() == whole.metrics.layers.size());
    for (std::size_t l = 0; l < whole.metrics.layers.size(); ++l) {
      CHECK(out->metrics.layers[l].propagated_error == whole.metrics.layers[l].propagated_error);
      CHECK(std::isnan(out->metrics.layers[l].local_error));
    }
  }
}

TEST_CASE("a bundle holds hidden states, no logits: 60 times smaller at the real vocabulary") {
  Opened o;
  const testing::TempDir folder;
  const std::string path = folder.path() + "/head";
  const pipeline::KlOutcome whole = o.write(path, forward::Mode::bf16, false);
  const auto tokens = whole.record.positions.size();
  const auto width = static_cast<std::uint64_t>(o.reference->config.text.hidden_size);
  const std::uint64_t states = tokens * width * 2;
  const std::uint64_t size = std::filesystem::file_size(path);
  CHECK(size >= states);
  CHECK(size < states + 4 * tokens + 2000);
  // Hidden 4096 in 16 bits against 16-bit logits over 248,320 words.
  CHECK(248320 * 2 / (4096 * 2) >= 60);
}

TEST_CASE("a bundle that does not fit is refused with the reason, a damaged one is an error") {
  Opened o;
  const testing::TempDir folder;
  const std::string path = folder.path() + "/b";
  static_cast<void>(o.write(path, forward::Mode::fp32, false));
  CHECK_FALSE(pipeline::BundleWriter::create(path, o.facts(forward::Mode::fp32, false), o.tokens));

  pipeline::BundleFacts other = o.facts(forward::Mode::fp32, false);
  other.head_sha256 = "0";
  {
    auto writer = pipeline::BundleWriter::create(folder.path() + "/other", other, o.tokens);
    REQUIRE(writer);
    pipeline::KlArgs run = o.args(forward::Mode::fp32);
    run.observer = writer->get();
    REQUIRE(pipeline::run_kl(run));
    REQUIRE((*writer)->finish());
  }
  const auto wrong = pipeline::Bundle::open(folder.path() + "/other");
  REQUIRE(wrong);
  const auto refused = pipeline::run_kl(o.args(forward::Mode::fp32), **wrong);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::usage);
  CHECK(refused.error().message.find("lm_head") != std::string::npos);

  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  CHECK_FALSE(pipeline::Bundle::open(path));
  CHECK_FALSE(pipeline::Bundle::is_one(folder.path()));
  CHECK_FALSE(pipeline::Bundle::is_one(kM.root + "/models/" + kM.reference + "/config.json"));
}

}  // namespace ckpt::e2e
