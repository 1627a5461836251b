// Variants: streams that take some modules from the other side, in the same pass over the weights.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/e2e/golden.h"
#include "tests/support.h"
#include "validator/base/bytes.h"
#include "validator/container/checkpoint.h"
#include "validator/container/writer.h"
#include "validator/metrics/collector.h"

namespace ckpt::e2e {

namespace {

using arch::ModuleClass;
using forward::ModulePick;
using forward::Stream;
using forward::Variant;

const PairCase kA{fixture_root(), "A-causallm-bf16", "A-causallm-w4a16-autoround", "tokens_A"};

pipeline::KlOutcome measure(const std::string& reference, const std::string& candidate,
                            std::span<const Variant> variants,
                            forward::Mode mode = forward::Mode::fp32, unsigned threads = 2) {
  const auto r = pipeline::open_target(reference);
  const auto c = pipeline::open_target(candidate);
  REQUIRE(r);
  REQUIRE(c);
  auto tokens = read_tokens(kA);
  tokens.resize(2);
  for (auto& s : tokens) s.resize(48);
  ThreadPool pool(threads);
  NoProgress progress;
  auto out = pipeline::run_kl({.reference = **r,
                               .candidate = **c,
                               .sequences = tokens,
                               .pool = pool,
                               .progress = progress,
                               .mode = mode,
                               .variants = variants,
                               .stop = {},
                               .note = {}});
  REQUIRE_MESSAGE(out.has_value(), (out ? "" : out.error().message));
  return *std::move(out);
}

std::string model(const std::string& name) {
  return kA.root + "/models/" + name;
}

bool all_zero(const std::vector<double>& values) {
  return !values.empty() && std::ranges::all_of(values, [](double v) { return v == 0; });
}

/// Writes the checkpoint that takes one layer from the candidate and the rest from the reference.
void write_hybrid(const std::string& folder, int layer) {
  const auto r = pipeline::open_target(model(kA.reference));
  const auto c = pipeline::open_target(model(kA.candidate));
  REQUIRE(r);
  REQUIRE(c);
  const std::string part = ".layers." + std::to_string(layer) + ".";
  std::vector<container::NewTensor> tensors;
  std::vector<std::pair<const container::Checkpoint*, const container::Tensor*>> sources;
  for (const auto* repo : {r->get(), c->get()}) {
    for (const container::Tensor& t : repo->checkpoint.tensors()) {
      const bool of_layer = t.name.find(part) != std::string_view::npos;
      if (of_layer != (repo == c->get())) continue;
      tensors.push_back({std::string(t.name), t.dtype, t.shape.copy()});
      sources.emplace_back(&repo->checkpoint, &t);
    }
  }
  auto writer = container::Writer::create(folder + "/model.safetensors", tensors);
  REQUIRE(writer);
  for (const auto& [checkpoint, tensor] : sources) {
    Bytes bytes(tensor->bytes());
    REQUIRE(checkpoint->read(*tensor, 0, bytes));
    REQUIRE(writer->write(bytes));
  }
  REQUIRE(writer->finish());
  std::filesystem::copy_file(model(kA.candidate) + "/config.json", folder + "/config.json");
}

}  // namespace

TEST_CASE("controls are exactly the stream they follow, and full swaps exactly the other one") {
  const Variant variants[] = {
      {Stream::reference, {}},
      {Stream::candidate, {}},
      {Stream::reference, {ModulePick{}}},
      {Stream::candidate, {ModulePick{}}},
  };
  for (const auto mode : {forward::Mode::fp32, forward::Mode::bf16}) {
    const pipeline::KlOutcome out =
        measure(model(kA.reference), model(kA.candidate), variants, mode);
    REQUIRE(out.record.variant_kl.size() == 4);
    CHECK(all_zero(out.record.variant_kl[0]));
    CHECK(out.record.variant_kl[1] == metrics::kl_of(out.record));
    CHECK(out.record.variant_kl[2] == metrics::kl_of(out.record));
    CHECK(all_zero(out.record.variant_kl[3]));
  }
}

TEST_CASE("a variant of one layer is the checkpoint with that layer quantized, to the bit") {
  for (const int layer : {0, 3}) {
    CAPTURE(layer);
    const testing::TempDir folder;
    write_hybrid(folder.path(), layer);
    const pipeline::KlOutcome hybrid = measure(model(kA.reference), folder.path(), {});
    const Variant one[] = {{Stream::reference, {ModulePick{.layer = layer}}}};
    const pipeline::KlOutcome out = measure(model(kA.reference), model(kA.candidate), one);
    REQUIRE(out.record.variant_kl.size() == 1);
    CHECK(out.record.variant_kl[0] == metrics::kl_of(hybrid.record));
    CHECK(hybrid.metrics.kl.mean > 0);
  }
}

TEST_CASE("the noise floor is small, the same in any number of passes, and 0 for no one else") {
  const Variant variants[] = {{Stream::reference, {}, true}, {Stream::reference, {}}};
  const pipeline::KlOutcome one = measure(model(kA.reference), model(kA.candidate), variants);
  REQUIRE(one.record.variant_kl.size() == 2);
  CHECK(all_zero(one.record.variant_kl[1]));
  double sum = 0;
  for (const double v : one.record.variant_kl[0]) sum += v;
  const double floor = sum / static_cast<double>(one.record.variant_kl[0].size());
  CHECK(floor > 1e-7);
  CHECK(floor < one.metrics.kl.mean / 10);
  const pipeline::KlOutcome again =
      measure(model(kA.reference), model(kA.candidate), variants, forward::Mode::fp32, 1);
  CHECK(again.record.variant_kl == one.record.variant_kl);
}

TEST_CASE("classes and single experts are picked alone, and threads change no bit") {
  const auto pick = [](ModuleClass cls) {
    return Variant{Stream::reference, {{.any_class = false, .cls = cls}}};
  };
  const Variant variants[] = {
      pick(ModuleClass::full_attention),
      pick(ModuleClass::linear_attention),
      pick(ModuleClass::routed_expert),
      pick(ModuleClass::shared_expert),
      pick(ModuleClass::router),  // stored in BF16 on both sides
      pick(ModuleClass::head),
      {Stream::reference,
       {{.layer = 2, .any_class = false, .cls = ModuleClass::routed_expert, .expert = 4}}},
      {Stream::candidate, {{.any_class = false, .cls = ModuleClass::routed_expert}}},
  };
  const pipeline::KlOutcome one =
      measure(model(kA.reference), model(kA.candidate), variants, forward::Mode::fp32, 1);
  const pipeline::KlOutcome three =
      measure(model(kA.reference), model(kA.candidate), variants, forward::Mode::fp32, 3);
  CHECK(one.record.variant_kl == three.record.variant_kl);
  const auto mean = [&](std::size_t v) {
    double sum = 0;
    for (const double x : one.record.variant_kl[v]) sum += x;
    return sum / static_cast<double>(one.record.variant_kl[v].size());
  };
  for (const std::size_t v : {0U, 1U, 2U, 3U, 6U}) {
    CAPTURE(v);
    CHECK(mean(v) > 0);
    CHECK(mean(v) < one.metrics.kl.mean);
  }
  CHECK(all_zero(one.record.variant_kl[4]));
  CHECK(all_zero(one.record.variant_kl[5]));
  CHECK(mean(6) < mean(2));
  CHECK(mean(7) < one.metrics.kl.mean);
}

}  // namespace ckpt::e2e
