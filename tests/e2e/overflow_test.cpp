// A float16 run that overflows names layer, op, token and the value, which float32 knows.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/e2e/golden.h"
#include "tests/support.h"

namespace ckpt::e2e {

namespace {

const PairCase kM{fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-bf16", "tokens_S"};
constexpr std::string_view kPlanted = "layers.1.mlp.shared_expert.up_proj.weight";

/// A copy of the reference whose planted weight is 2^20 times as large.
void plant(const std::string& folder) {
  std::filesystem::copy(kM.root + "/models/" + kM.reference, folder,
                        std::filesystem::copy_options::recursive);
  const auto opened = pipeline::open_target(folder);
  REQUIRE(opened);
  const auto& checkpoint = (*opened)->checkpoint;
  std::size_t planted = 0;
  for (const container::Tensor& t : checkpoint.tensors()) {
    if (!std::string_view(t.name).ends_with(kPlanted) || t.name.find("mtp") != t.name.npos)
      continue;
    REQUIRE(t.dtype == Dtype::bf16);
    std::fstream file(folder + "/" + std::string(checkpoint.shards()[t.shard].name),
                      std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(t.end - t.begin, '\0');
    file.seekg(static_cast<std::streamoff>(t.begin));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
      // The exponent's eight bits lie below the sign: 20 of them are 20 << 7.
      unsigned word = static_cast<unsigned char>(bytes[i]) |
                      static_cast<unsigned>(static_cast<unsigned char>(bytes[i + 1])) << 8U;
      if ((word & 0x7F80U) != 0) word += 20U << 7U;
      bytes[i] = static_cast<char>(word & 0xFFU);
      bytes[i + 1] = static_cast<char>(word >> 8U);
    }
    file.seekp(static_cast<std::streamoff>(t.begin));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ++planted;
  }
  REQUIRE(planted == 1);
}

results::Metrics measure(const std::string& candidate, forward::Mode mode) {
  const auto r = pipeline::open_target(kM.root + "/models/" + kM.reference);
  const auto c = pipeline::open_target(candidate);
  REQUIRE(r);
  REQUIRE(c);
  const auto tokens = read_tokens(kM);
  ThreadPool pool(2);
  NoProgress progress;
  const auto out = pipeline::run_kl({.reference = **r,
                                     .candidate = **c,
                                     .sequences = tokens,
                                     .pool = pool,
                                     .progress = progress,
                                     .mode = mode,
                                     .stop = {},
                                     .note = {}});
  REQUIRE_MESSAGE(out.has_value(), (out ? "" : out.error().message));
  return out->metrics;
}

}  // namespace

TEST_CASE("fp16: the first overflow has layer, op, token and the value of a float32 run") {
  const testing::TempDir dir;
  const std::string large = dir.path() + "/large";
  plant(large);
  const results::Metrics half = measure(large, forward::Mode::fp16);
  REQUIRE(half.nonfinite.size() == 1);
  const results::NonFinite& first = half.nonfinite[0];
  CHECK(first.stream == "candidate");
  CHECK(first.layer == 1);
  CHECK(first.op == "shared up");
  CHECK(std::isinf(first.value));
  CHECK(first.largest_finite <= 65504);
  REQUIRE(first.fp32);
  CHECK(*first.fp32 > 65504);

  // A whole float32 run sees no larger value there, and all tokens include this one.
  const results::Metrics exact = measure(large, forward::Mode::fp32);
  CHECK(exact.nonfinite.empty());
  bool seen = false;
  for (const results::Headroom& h : exact.headroom) {
    if (h.layer != 1 || h.point != "shared up") continue;
    seen = true;
    CHECK(*first.fp32 <= h.max_abs_candidate * 1.001);
    CHECK(h.above_f16_candidate > 0);
  }
  CHECK(seen);
  CHECK(results::value_text(first).find("in float32, ") != std::string::npos);
  CHECK(results::op_text(first) == "layer 1 shared up");
}

TEST_CASE("fp16: a run without an overflow computes nothing once more") {
  const results::Metrics fits = measure(kM.root + "/models/" + kM.reference, forward::Mode::fp16);
  CHECK(fits.nonfinite.empty());
}

}  // namespace ckpt::e2e
