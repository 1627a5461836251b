// The golden pair of pruned repos, as it is and with each kind of damage.

#include "validator/pipeline/prune.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "tests/support.h"

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

}  // namespace

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
