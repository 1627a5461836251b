// Load plans against what the loaders' own code decided (fixtures/loaders, origin in its README).

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "tests/support.h"
#include "validator/loaders/plan.h"

namespace ckpt {
namespace {

struct Tally {
  std::size_t agree = 0;
  std::size_t total = 0;
  std::map<std::string, std::size_t> wrong;  ///< case id -> modules

  [[nodiscard]] double share() const {
    return total == 0 ? 0 : static_cast<double>(agree) / static_cast<double>(total);
  }
};

bool same(const json::Value& want, const loaders::Decision& got) {
  if (want.find("error")) return got.raises();
  if (got.raises()) return false;
  // An experts_scheme has no `quantized`: it is.
  if (want.find("quantized").boolean().value_or(true) != got.quantized) return false;
  if (!got.quantized) return true;
  const auto group = want.find("group_size").integer().value_or(-1);
  return want.find("bits").integer() == got.bits && group == got.group_size &&
         want.find("sym").boolean() == got.sym;
}

/// Golden decisions name HF modules (transformers) or fused engine modules (vLLM).
std::vector<std::string> members_of(const json::Value& decisions, const std::string& layout,
                                    const std::string& name) {
  const json::Value engine = decisions.find("engine_modules");
  if (!engine) return {name};
  std::vector<std::string> out;
  engine.find(layout).find(name).find("members").each(
      [&](const json::Value& m) { out.emplace_back(*m.string()); });
  return out;
}

void compare_case(const json::Value& golden, const json::Value& decisions, const std::string& id,
                  const loaders::LoadPlan& plan, const arch::Blueprint& blueprint, Tally& tally) {
  const std::string layout(*golden.find("layout").string());
  if (golden.find("error")) {
    ++tally.total;
    plan.refused.empty() ? (void)++tally.wrong[id] : (void)++tally.agree;
    return;
  }
  golden.find("modules").each_member([&](const json::Member& m) {
    const auto index = static_cast<std::size_t>(*m.value.integer());
    json::Value want;
    std::size_t i = 0;
    decisions.find("decisions").each([&](const json::Value& d) {
      if (i++ == index) want = d;
    });
    for (const std::string& member : members_of(decisions, layout, std::string(m.name))) {
      const std::int32_t at = blueprint.find(member);
      if (at < 0 || !blueprint.modules()[static_cast<std::size_t>(at)].linear) continue;
      const loaders::Decision* got = plan.decision(static_cast<std::uint32_t>(at));
      const bool expert = blueprint.modules()[static_cast<std::size_t>(at)].expert >= 0;
      // In transformers a compressed-tensors repo's experts are one fused module that no target can
      // name; what happens to packed ones stands apart.
      const json::Value scheme = golden.find("experts_scheme");
      const json::Value wanted = expert && scheme.is(json::Kind::object) ? scheme : want;
      ++tally.total;
      if (got != nullptr && plan.refused.empty() && same(wanted, *got)) {
        ++tally.agree;
      } else {
        ++tally.wrong[id];
      }
    }
  });
}

/// The methods whose plans exist.
bool compared(const std::string& method) {
  return method == "auto-round" || method == "compressed-tensors";
}

Tally tally_of(loaders::Loader loader, const std::string& file) {
  const std::string folder = std::string(CKPT_FIXTURES) + "/loaders/";
  const auto configs = testing::read_json(folder + "decision_configs.json");
  const auto decisions = testing::read_json(folder + file);
  REQUIRE(configs != nullptr);
  REQUIRE(decisions != nullptr);
  std::vector<json::Value> golden;
  decisions->root().find("cases").each([&](const json::Value& v) { golden.push_back(v); });
  Tally tally;
  std::size_t index = 0;
  configs->root().find("cases").each([&](const json::Value& c) {
    const json::Value want = golden[index++];
    const json::Value quant = c.find("quantization_config");
    const std::string layout(*c.find("layout").string());
    if (!compared(std::string(*quant.find("quant_method").string()))) return;
    const std::string model(configs->root().find("model").find(layout).raw());
    const testing::TempDir dir;
    dir.write("config.json", "{\"quantization_config\": " + std::string(quant.raw()) + "," +
                                 model.substr(model.find('{') + 1));
    const auto repo = repo::Repo::open(dir.path());
    REQUIRE(repo.has_value());
    const config::ModelConfig config = config::read_model_config(*repo);
    const auto blueprint = arch::build_blueprint(config, 1'000'000);
    REQUIRE(blueprint.has_value());
    const loaders::LoadPlan plan = loaders::make_plan(loader, config, *blueprint);
    compare_case(want, decisions->root(), std::string(*c.find("id").string()), plan, *blueprint,
                 tally);
  });
  return tally;
}

void report(const char* loader, const Tally& t) {
  std::string wrong;
  for (const auto& [id, n] : t.wrong) wrong += " " + id + ":" + std::to_string(n);
  MESSAGE(loader << ": " << t.agree << " of " << t.total
                 << " decisions agree; differing cases:" << wrong);
}

}  // namespace

TEST_CASE("vLLM 0.33: at least 97 % of the recorded decisions are predicted") {
  const Tally t = tally_of(loaders::Loader::vllm, "decisions_vllm.json");
  report("vllm", t);
  CHECK(t.total > 1000);
  CHECK(t.share() >= 0.97);
}

TEST_CASE("transformers 5.17: at least 97 % of the recorded decisions are predicted") {
  const Tally t = tally_of(loaders::Loader::transformers, "decisions_transformers.json");
  report("transformers", t);
  CHECK(t.total > 1000);
  CHECK(t.share() >= 0.97);
}

}  // namespace ckpt
