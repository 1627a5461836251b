#include "validator/pipeline/inspect.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "validator/pipeline/tokens.h"

namespace ckpt::pipeline {

namespace {

std::unique_ptr<OpenedRepo> open(const std::string& name) {
  auto opened = open_target(std::string(CKPT_FIXTURES) + "/golden/models/" + name);
  REQUIRE(opened);
  return *std::move(opened);
}

}  // namespace

TEST_CASE("a pattern finds tensors, a name finds its module by any of its tensors") {
  const auto o = open("A-causallm-w4a16-autoround");
  CHECK(find_tensors(*o, "layers.3.*q_proj").size() == 3);
  CHECK(find_tensors(*o, "*").size() == o->checkpoint.tensors().size());
  CHECK(find_tensors(*o, "nowhere").empty());
  const auto module = find_module(*o, "model.layers.3.self_attn.q_proj");
  REQUIRE(module);
  CHECK(find_module(*o, "model.layers.3.self_attn.q_proj.scales") == module);
  CHECK_FALSE(find_module(*o, "model.layers.99.self_attn.q_proj"));
}

TEST_CASE("statistics and error of a weight, by hand and against the golden numbers") {
  const auto o = open("A-causallm-w4a16-autoround");
  const auto base = open("A-causallm-bf16");
  const auto module = find_module(*o, "model.layers.3.self_attn.q_proj");
  REQUIRE(module);
  const auto w = inspect_weight(*o, *module, base.get());
  REQUIRE_MESSAGE(w.has_value(), (w ? "" : w.error().message));
  const auto values = w->parameter.decode_all();
  REQUIRE(values);
  const weights::WeightSummary& s = w->summary;
  CHECK(s.elements == values->size());
  CHECK(s.min == double{*std::ranges::min_element(*values)});
  CHECK(s.max == double{*std::ranges::max_element(*values)});
  CHECK(std::accumulate(s.histogram.begin(), s.histogram.end(), std::uint64_t{0}) == s.elements);
  const auto zeros = std::ranges::count(*values, 0.0F);
  CHECK(s.zeros == static_cast<std::uint64_t>(zeros));
  CHECK(s.histogram[weights::WeightSummary::kBins / 2] >= s.zeros);
  REQUIRE(w->error);
  CHECK(w->error->rel_fro == doctest::Approx(0.09995).epsilon(1e-3));
  // Against itself nothing differs.
  CHECK(inspect_weight(*o, *module, o.get())->error->max_abs == 0);
}

TEST_CASE("a decoded weight is saved for NumPy and as safetensors, and never over a file") {
  std::string folder = "/tmp/ckpt-inspect-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const auto o = open("A-causallm-w4a16-autoround");
  const auto w = inspect_weight(*o, *find_module(*o, "model.layers.3.self_attn.k_proj"), nullptr);
  REQUIRE(w);
  REQUIRE(save_weight(w->parameter, folder + "/w.npy"));
  const std::uint64_t data = w->summary.elements * sizeof(float);
  const std::uint64_t size = std::filesystem::file_size(folder + "/w.npy");
  CHECK(size > data);
  CHECK((size - data) % 64 == 0);
  CHECK(save_weight(w->parameter, folder + "/w.npy").error().kind == ErrorKind::usage);
  CHECK(save_weight(w->parameter, folder + "/w.txt").error().kind == ErrorKind::usage);
  REQUIRE(save_weight(w->parameter, folder + "/w.safetensors"));
  const auto saved = open_target(folder + "/w.safetensors");
  REQUIRE(saved);
  const auto* tensor = (*saved)->checkpoint.find("model.layers.3.self_attn.k_proj.weight");
  REQUIRE(tensor != nullptr);
  CHECK(tensor->bytes() == data);
  std::filesystem::remove_all(folder);
}

TEST_CASE("a slice is two ranges") {
  CHECK(parse_slice("0:8,16:24")->column_begin == 16);
  for (const char* bad : {"", "0:8", "8:0,0:1", "a:b,0:1", "0:1,0:1,0:1", "-1:2,0:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_slice(bad));
  }
}

}  // namespace ckpt::pipeline
