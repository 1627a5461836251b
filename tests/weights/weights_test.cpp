#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/weights/opened.h"
#include "validator/base/json.h"
#include "validator/weights/read_ahead.h"
#include "validator/weights/statistics.h"

namespace ckpt::weights::test {

namespace {

std::shared_ptr<const json::Document> read(const std::string& path) {
  auto file = open_file(path);
  if (!file) return nullptr;
  auto text = read_text(*file, 16U << 20);
  if (!text) return nullptr;
  auto document = json::parse(*std::move(text));
  return document ? *document : nullptr;
}

bool near(double got, const json::Value& want, double relative) {
  const double value = want.number().value_or(1e300);
  return std::abs(got - value) <= relative * std::abs(value);
}

// Every linear of the golden weight_error.json, and no other one differs.
void check_weight_errors(const std::string& root, const std::string& reference,
                         const std::string& candidate) {
  config::ModelConfig config_r, config_c;
  const auto r = open_model(root + "/models/" + reference, config_r);
  const auto c = open_model(root + "/models/" + candidate, config_c);
  REQUIRE(r != nullptr);
  REQUIRE(c != nullptr);
  const auto golden = read(root + "/goldens/" + candidate + "/weight_error.json");
  REQUIRE(golden != nullptr);
  std::size_t differing = 0;
  for (std::uint32_t i = 0; i < r->blueprint.modules().size(); ++i) {
    const arch::Module& m = r->blueprint.modules()[i];
    if (m.cls == arch::ModuleClass::vision || m.cls == arch::ModuleClass::mtp) continue;
    CAPTURE(m.name);
    const auto w = r->model.load(i);
    const auto v = c->model.load(c->at(m.name));
    REQUIRE(w);
    REQUIRE(v);
    CHECK(w->bytes() == r->model.bytes(i));
    const auto error = weight_error(*w, *v);
    REQUIRE(error);
    const json::Value want = golden->root().find(m.name + ".weight");
    CHECK(static_cast<bool>(want) == (error->rel_fro > 0));
    if (!want) continue;
    ++differing;
    CHECK(near(error->rel_fro, want.find("rel_fro"), 1e-6));
    CHECK(near(error->sqnr_db, want.find("sqnr_db"), 1e-6));
    CHECK(near(error->cosine, want.find("cosine"), 1e-6));
    CHECK(near(error->max_abs, want.find("max_abs"), 1e-6));
  }
  CHECK(differing == golden->root().size());
}

}  // namespace

TEST_CASE("weight errors of every linear equal the golden ones") {
  check_weight_errors(fixture_root(), "A-causallm-bf16", "A-causallm-w4a16-autoround");
  check_weight_errors(fixture_root(), "M-vl-mtp-bf16", "M-vl-mtp-w4a16-autoround");
}

TEST_CASE("weight errors of pair B and of the other formats equal the golden ones") {
  const auto root = shared_root();
  if (!root) {
    MESSAGE("skipped: the other golden models are not beside the source tree");
    return;
  }
  check_weight_errors(*root, "B-vl-bf16", "B-vl-w4a16-autoround");
  check_weight_errors(*root, "S-causallm-bf16", "S-causallm-gptq-w4g32");
  check_weight_errors(*root, "S-causallm-bf16", "S-causallm-awq-w4g32");
}

}  // namespace ckpt::weights::test
