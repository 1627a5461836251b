#include "validator/container/checkpoint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "tests/container/crafted.h"

namespace ckpt::container {
namespace {

constexpr const char* kIndex = "model.safetensors.index.json";

Checkpoint open(const testing::TempDir& dir) {
  const auto repo = repo::Repo::open(dir.path());
  REQUIRE(repo.has_value());
  return Checkpoint::open(*repo);
}

bool has(const Checkpoint& c, DefectKind kind) {
  return std::ranges::any_of(c.defects(), [kind](const Defect& d) { return d.kind == kind; });
}

std::string shard(const std::string& name) {
  return testing::safetensors(testing::one_tensor(name), std::string(16, 'x'));
}

std::string index(const std::string& map,
                  const std::string& metadata = R"("metadata":{"total_size":32},)") {
  return "{" + metadata + R"("weight_map":{)" + map + "}}";
}

}  // namespace

TEST_CASE("an index with its shards opens clean, and tensors are found by name") {
  const testing::TempDir dir;
  dir.write("a.safetensors", shard("x"));
  dir.write("b.safetensors", shard("y"));
  dir.write(kIndex, index(R"("x":"a.safetensors","y":"b.safetensors")"));
  const Checkpoint c = open(dir);
  CHECK(c.defects().empty());
  CHECK_FALSE(c.incomplete());
  REQUIRE(c.find("y") != nullptr);
  CHECK(c.find("z") == nullptr);
  std::string bytes(16, '\0');
  CHECK(c.read(*c.find("y"), 0, std::as_writable_bytes(std::span(bytes))).has_value());
  CHECK(bytes == std::string(16, 'x'));
  CHECK_FALSE(c.read(*c.find("y"), 1, std::as_writable_bytes(std::span(bytes))).has_value());
}

TEST_CASE("each way an index can be wrong has its own defect") {
  struct Row {
    const char* what;
    std::string text;
    DefectKind kind;
  };

  const Row rows[] = {
      {"missing shard", index(R"("x":"a.safetensors","y":"c.safetensors")"),
       DefectKind::index_missing_shard},
      {"absent tensor", index(R"("x":"a.safetensors","y":"b.safetensors","z":"a.safetensors")"),
       DefectKind::index_absent_tensor},
      {"wrong shard", index(R"("x":"b.safetensors","y":"b.safetensors")"),
       DefectKind::index_absent_tensor},
      {"unlisted tensor", index(R"("x":"a.safetensors","q":"b.safetensors")"),
       DefectKind::index_unlisted_tensor},
      {"orphan shard", index(R"("x":"a.safetensors")"), DefectKind::orphan_shard},
      {"duplicate", index(R"("x":"a.safetensors","y":"b.safetensors","x":"b.safetensors")"),
       DefectKind::index_duplicate_key},
      {"total",
       index(R"("x":"a.safetensors","y":"b.safetensors")", R"("metadata":{"total_size":1},)"),
       DefectKind::index_total_size},
      {"no metadata", index(R"("x":"a.safetensors","y":"b.safetensors")", ""),
       DefectKind::index_no_metadata},
      {"no map", R"({"metadata":{}})", DefectKind::index_text},
      {"not JSON", "{", DefectKind::index_text},
      {"up", index(R"("x":"../a.safetensors")"), DefectKind::index_value},
      {"absolute", index(R"("x":"/dev/zero")"), DefectKind::index_value},
      {"folder", index(R"("x":"sub/a.safetensors")"), DefectKind::index_value},
      {"backslash", index(R"("x":"..\\a.safetensors")"), DefectKind::index_value},
      {"number", index(R"("x":7)"), DefectKind::index_value},
      {"control character", index(R"("x":"a\u0000.safetensors")"), DefectKind::index_value},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const testing::TempDir dir;
    dir.write("a.safetensors", shard("x"));
    dir.write("b.safetensors", shard("y"));
    dir.write(kIndex, row.text);
    CHECK(has(open(dir), row.kind));
  }
}

TEST_CASE("a shard that links out of the repo is never opened") {
  const testing::TempDir outside;
  outside.write("secret.safetensors", shard("secret"));
  const testing::TempDir dir;
  std::filesystem::create_symlink(outside.path() + "/secret.safetensors",
                                  dir.path() + "/model.safetensors");
  const Checkpoint c = open(dir);
  CHECK(c.find("secret") == nullptr);
  CHECK(has(c, DefectKind::unreadable));
  CHECK(c.incomplete());
}

TEST_CASE("a damaged header makes absent tensors unknown, not missing") {
  const testing::TempDir dir;
  dir.write("model.safetensors", shard("x").substr(0, 60));
  CHECK(open(dir).incomplete());
}

TEST_CASE("model.safetensors beside an index that names others shadows it") {
  const testing::TempDir dir;
  dir.write("model.safetensors", shard("x"));
  dir.write("b.safetensors", shard("y"));
  dir.write(kIndex, index(R"("x":"model.safetensors","y":"b.safetensors")"));
  CHECK(open(dir).shadowed());
}

TEST_CASE("of two copies the one in the later file counts, and both are named") {
  const testing::TempDir dir;
  dir.write("a.safetensors", shard("x"));
  dir.write("b.safetensors", shard("x"));
  const Checkpoint c = open(dir);
  REQUIRE(c.tensors().size() == 1);
  CHECK(c.tensors()[0].shard == 1);
  CHECK(has(c, DefectKind::tensor_in_two_shards));
}

}  // namespace ckpt::container
