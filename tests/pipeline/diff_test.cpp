#include "validator/pipeline/diff.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/pipeline/lint_repos.h"

namespace ckpt::pipeline {
namespace {

DiffReport compare(const std::string& a, const std::string& b, bool values = true) {
  const auto x = open_target(a);
  const auto y = open_target(b);
  REQUIRE((x.has_value() && y.has_value()));
  NoProgress progress;
  auto report = diff({.a = **x, .b = **y, .values = values, .progress = progress, .stop = {}});
  REQUIRE(report.has_value());
  return *std::move(report);
}

const Difference* find(const DiffReport& r, DiffKind kind, std::string_view where) {
  const auto it = std::ranges::find_if(r.differences, [&](const Difference& d) {
    return d.kind == kind && d.where.find(where) != std::string::npos;
  });
  return it == r.differences.end() ? nullptr : &*it;
}

}  // namespace

TEST_CASE("a checkpoint does not differ from itself") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("clean-autoround-vl", dir);
  const DiffReport r = compare(dir.path(), dir.path());
  CHECK(r.differences.empty());
  CHECK(r.values_compared == r.tensors_compared);
  CHECK(r.bytes_compared > 0);
}

TEST_CASE("config keys are compared by pointer, whatever their order and spacing") {
  const testing::TempDir a;
  const testing::TempDir b;
  a.write("config.json", R"({"x": 1, "y": {"z": [1, 2], "only_a": true}, "same": 1.0})");
  b.write("config.json", R"({ "same":1.0, "y":{"z":[1,3]}, "x":"1", "new": null })");
  const DiffReport r = compare(a.path(), b.path());
  CHECK(r.differences.size() == 4);
  const Difference* x = find(r, DiffKind::config, "config.json /x");
  REQUIRE(x != nullptr);
  CHECK(x->a == "1");
  CHECK(x->b == "\"1\"");
  CHECK(find(r, DiffKind::config, "/y/z/*") != nullptr);
  CHECK(find(r, DiffKind::config, "/y/only_a")->b.empty());
  CHECK(find(r, DiffKind::config, "/new")->a.empty());
}

TEST_CASE("a quantized pair differs in config, scheme and tensors, layer by layer in one line") {
  const std::string golden = std::string(CKPT_FIXTURES) + "/golden/models/";
  const DiffReport r = compare(golden + "A-causallm-bf16", golden + "A-causallm-w4a16-autoround");
  CHECK(find(r, DiffKind::config, "quantization_config") != nullptr);
  const Difference* q = find(r, DiffKind::scheme, "layers.*.self_attn.q_proj");
  REQUIRE(q != nullptr);
  CHECK(q->count == 2);
  CHECK(q->a == "16 bits");
  CHECK(q->b.starts_with("gptq 4 bits"));
  CHECK(find(r, DiffKind::tensors, "layers.*.self_attn.q_proj.weight")->b.empty());
  CHECK(find(r, DiffKind::tensors, "layers.*.self_attn.q_proj.qweight")->a.empty());
  CHECK(find(r, DiffKind::values, "norm") == nullptr);  // what was not quantized is the same
}

TEST_CASE("one changed value is found, and only with the values") {
  const testing::TempDir a;
  const testing::TempDir b;
  testing::lay_out_lint_repo("clean-autoround-causal", a);
  testing::lay_out_lint_repo("scales-nan", b);
  const DiffReport deep = compare(a.path(), b.path());
  REQUIRE(deep.differences.size() == 1);
  CHECK(deep.differences[0].kind == DiffKind::values);
  CHECK(deep.differences[0].first.ends_with("scales"));
  CHECK(compare(a.path(), b.path(), false).differences.empty());
}

}  // namespace ckpt::pipeline
