// The golden pair of pruned repos, as it is and with each kind of damage.

#include "validator/pipeline/prune.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "tests/support.h"
#include "validator/base/bits.h"
#include "validator/container/writer.h"
#include "validator/pipeline/counterpart.h"

namespace ckpt::pipeline {
namespace {

const std::string kPair = std::string(CKPT_FIXTURES) + "/prune/";

PruneReport verify(const std::string& candidate, const std::string& base = kPair + "base") {
  const auto c = open_target(candidate);
  const auto b = open_target(base);
  REQUIRE((c.has_value() && b.has_value()));
  ThreadPool pool(2);
  NoProgress progress;
  auto report = verify_prune({**c, **b, pool, progress, {}});
  REQUIRE(report.has_value());
  return *std::move(report);
}

std::vector<std::string> codes(const PruneReport& p) {
  std::vector<std::string> out;
  for (const results::Finding& f : p.results.findings) out.push_back(f.code);
  return out;
}

/// A copy of the pruned repo that a test may damage.
class Copy {
 public:
  Copy() { std::filesystem::copy(kPair + "pruned", path(), kOptions); }

  [[nodiscard]] std::string path() const { return dir_.path(); }

  void replace(const std::string& file, const std::string& from, const std::string& to) {
    std::string text = testing::read_all(path() + "/" + file);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    dir_.write(file, text.replace(at, from.size(), to));
  }

  /// Hands the bytes of one tensor to `edit`.
  template <class Edit>
  void tensor(const std::string& name, Edit&& edit) {
    const std::string file = path() + "/model.safetensors";
    const auto opened = open_target(path());
    const container::Tensor* t = (*opened)->checkpoint.find(name);
    REQUIRE(t != nullptr);
    std::string bytes = testing::read_all(file);
    std::string part = bytes.substr(t->begin, t->bytes());
    edit(part, t->bytes() / t->shape[0]);
    bytes.replace(t->begin, part.size(), part);
    dir_.write("model.safetensors", bytes);
  }

 private:
  static constexpr auto kOptions =
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing;
  testing::TempDir dir_;
};

void swap_rows(std::string& bytes, std::size_t width, std::size_t a, std::size_t b) {
  std::swap_ranges(bytes.begin() + static_cast<long>(a * width),
                   bytes.begin() + static_cast<long>((a + 1) * width),
                   bytes.begin() + static_cast<long>(b * width));
}

/// A copy of `folder` in which one tensor has another dtype, its elements made by `element`.
template <class Element>
void with_tensor(const std::string& folder, const testing::TempDir& to, const std::string& name,
                 Dtype dtype, Element&& element) {
  std::filesystem::copy(
      folder, to.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  const auto opened = open_target(folder);
  std::vector<container::NewTensor> tensors;
  std::string data;
  for (const container::Tensor& t : (*opened)->checkpoint.tensors()) {
    std::vector<std::byte> bytes(t.bytes());
    REQUIRE((*opened)->checkpoint.read(t, 0, bytes).has_value());
    const bool changed = t.name == name;
    tensors.push_back(
        {std::string(t.name), changed ? dtype : t.dtype, Shape(t.shape.begin(), t.shape.end())});
    for (std::size_t i = 0; changed && i < bytes.size(); i += 2) {
      const std::string text = element(bf16_to_f32(load<std::uint16_t>(bytes.data() + i)));
      data += text;
    }
    if (!changed) data.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  const std::string path = to.path() + "/model.safetensors";
  std::filesystem::remove(path);
  auto writer = container::Writer::create(path, tensors);
  REQUIRE(writer.has_value());
  REQUIRE(writer->write(std::as_bytes(std::span(data))).has_value());
  REQUIRE(writer->finish().has_value());
}

template <class T>
std::string bytes_of(T value) {
  std::string out(sizeof(T), '\0');
  std::memcpy(out.data(), &value, sizeof(T));
  return out;
}

bool noted(const PruneReport& p, std::string_view words) {
  return std::ranges::any_of(p.results.notes, [words](const std::string& n) {
    return n.find(words) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("F32 in the base and its BF16 rounding in the candidate is equal, and said") {
  const testing::TempDir base;
  with_tensor(kPair + "base", base, "model.layers.0.linear_attn.A_log", Dtype::f32,
              [](float v) { return bytes_of(std::nextafter(v, 100.0F)); });
  const PruneReport rounded = verify(kPair + "pruned", base.path());
  CHECK(rounded.results.findings.empty());
  CHECK(rounded.others_rounded == 1);
  CHECK(noted(rounded, "BF16 rounding"));
  // The other way round nothing was lost: the BF16 value, widened.
  const testing::TempDir widened;
  with_tensor(kPair + "pruned", widened, "model.layers.0.linear_attn.A_log", Dtype::f32,
              [](float v) { return bytes_of(v); });
  const PruneReport wide = verify(widened.path());
  CHECK(wide.results.findings.empty());
  CHECK(wide.others_widened == 1);
  // A value that no rounding makes is a difference in any dtype.
  const testing::TempDir other;
  with_tensor(kPair + "pruned", other, "model.layers.0.linear_attn.A_log", Dtype::f32,
              [](float v) { return bytes_of(v * 1.01F); });
  CHECK(codes(verify(other.path())) == std::vector<std::string>{"PRU004"});
}

TEST_CASE("norms after BF16(1 + w) and back are recognised, other tensors are not let through") {
  const auto trip = [](float v) { return bytes_of(f32_to_bf16(offset_norm_round_trip(v))); };
  const testing::TempDir norm;
  with_tensor(kPair + "pruned", norm, "model.layers.0.input_layernorm.weight", Dtype::bf16, trip);
  const PruneReport p = verify(norm.path());
  CHECK(p.results.findings.empty());
  CHECK(p.norms_round_trip == 1);
  CHECK(noted(p, "llm-compressor"));
  const testing::TempDir head;
  with_tensor(kPair + "pruned", head, "lm_head.weight", Dtype::bf16, trip);
  CHECK(codes(verify(head.path())) == std::vector<std::string>{"PRU004"});
}

TEST_CASE("a sound prune passes, and its expert map is the one in the record") {
  const PruneReport p = verify(kPair + "pruned");
  CHECK(p.results.findings.empty());
  CHECK(p.results.run.verdict == "pass");
  REQUIRE(p.layers.size() == 2);
  CHECK(p.layers[0].kept == std::vector<int>{0, 1, 2, 3, 5, 8, 9, 10, 12, 13, 14, 15});
  CHECK(p.layers[1].kept == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15});
  CHECK(p.experts_exact == 2 * 12 * 3);
}

TEST_CASE("without a record the map comes from the router's rows") {
  Copy copy;
  std::filesystem::remove(copy.path() + "/reap_metadata.json");
  const PruneReport p = verify(copy.path());
  CHECK(p.results.findings.empty());
  CHECK(ranges_text(p.layers[0].kept) == "0-3, 5, 8-10, 12-15");
}

TEST_CASE("exchanged router rows") {
  Copy copy;
  copy.tensor("model.layers.0.mlp.gate.weight",
              [](std::string& bytes, std::size_t width) { swap_rows(bytes, width, 1, 2); });
  CHECK(codes(verify(copy.path())) == std::vector<std::string>{"PRU002"});
  // Without the record the rows are believed, and then both experts are in the wrong slot.
  std::filesystem::remove(copy.path() + "/reap_metadata.json");
  const PruneReport p = verify(copy.path());
  REQUIRE(codes(p) == std::vector<std::string>{"PRU001"});
  CHECK(p.results.findings[0].count == 6);
}

TEST_CASE("a slice of another expert is named") {
  Copy copy;
  copy.tensor("model.layers.1.mlp.experts.gate_up_proj", [](std::string& bytes, std::size_t width) {
    bytes.replace(3 * width, width, bytes.substr(8 * width, width));
  });
  const PruneReport p = verify(copy.path());
  REQUIRE(codes(p) == std::vector<std::string>{"PRU001"});
  CHECK(p.results.findings[0].count == 2);  // gate and up
  CHECK(p.results.findings[0].message ==
        "layer 1 slot 3 is not base expert 3: it holds base expert 9");
}

TEST_CASE("one flipped bit in a router row, in an expert and in another tensor") {
  struct Row {
    const char* tensor;
    const char* code;
  };

  for (const Row& row :
       {Row{"model.layers.0.mlp.gate.weight", "PRU002"},
        Row{"model.layers.0.mlp.experts.down_proj", "PRU001"},
        Row{"model.layers.1.input_layernorm.weight", "PRU004"}, Row{"lm_head.weight", "PRU004"}}) {
    CAPTURE(row.tensor);
    Copy copy;
    copy.tensor(row.tensor, [](std::string& bytes, std::size_t) { bytes[5] ^= 1; });
    CHECK(codes(verify(copy.path())) == std::vector<std::string>{row.code});
  }
}

TEST_CASE("a record that repeats an expert, has too few, or names others than were kept") {
  Copy twice;
  twice.replace("reap_metadata.json", "    0,\n", "    1,\n");
  CHECK(codes(verify(twice.path())) == std::vector<std::string>{"PRU003"});
  Copy other;
  other.replace("reap_metadata.json", "    5,\n", "    4,\n");
  CHECK(codes(verify(other.path())) == std::vector<std::string>{"PRU005"});
}

TEST_CASE("an expert count that the config has wrong") {
  Copy copy;
  copy.replace("config.json", "\"num_experts\": 12", "\"num_experts\": 16");
  const auto found = codes(verify(copy.path()));
  CHECK(std::ranges::find(found, "MAP006") != found.end());
}

TEST_CASE("another model is no base") {
  const PruneReport p = verify(std::string(CKPT_FIXTURES) + "/golden/models/A-causallm-bf16");
  CHECK(p.results.run.verdict != "pass");
}

}  // namespace ckpt::pipeline
