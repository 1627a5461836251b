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

  void count(bool right, const std::string& id) {
    ++total;
    right ? (void)++agree : (void)++wrong[id];
  }

  [[nodiscard]] double share() const {
    return total == 0 ? 0 : static_cast<double>(agree) / static_cast<double>(total);
  }
};

std::vector<json::Value> items(const json::Value& list) {
  std::vector<json::Value> out;
  list.each([&out](const json::Value& v) { out.push_back(v); });
  return out;
}

std::string text_of(const json::Value& v) {
  return std::string(v.string().value_or(std::string_view{}));
}

/// A text field that was recorded agrees; one that was not says nothing.
bool same_text(const json::Value& want, std::string_view got) {
  return !want || text_of(want) == got;
}

bool same_group(const json::Value& want, const loaders::Decision& got) {
  if (want.is(json::Kind::array)) {
    const auto pair = items(want);
    return pair.size() == 2 && pair[0].integer() == got.block[0] &&
           pair[1].integer() == got.block[1];
  }
  return !want || want.integer().value_or(-1) == got.group_size;
}

bool same_block(const json::Value& want, const loaders::Decision& got) {
  if (!want) return true;
  if (want.is(json::Kind::null)) return got.block[0] == 0;
  return same_group(want, got);
}

/// Every recorded field of the decision: bits, group, symmetry, strategy, type, format,
/// activations, block, activation order; for an exception its type.
bool same(const json::Value& want, const loaders::Decision& got) {
  if (want.find("error")) return got.error == text_of(want.find("error"));
  if (got.raises()) return false;
  // An experts_scheme has no `quantized`: it is.
  if (want.find("quantized").boolean().value_or(true) != got.quantized) return false;
  if (!got.quantized) return true;
  const json::Value inputs = want.find("input_activations");
  const json::Value sym = want.find("sym");
  const json::Value desc_act = want.find("desc_act");
  return want.find("bits").integer() == got.bits && (!sym || sym.boolean() == got.sym) &&
         (!desc_act || desc_act.boolean() == got.desc_act) &&
         (!inputs || inputs.integer().value_or(0) == got.input_bits) &&
         same_group(want.find("group_size"), got) && same_block(want.find("block"), got) &&
         same_text(want.find("strategy"), got.strategy) && same_text(want.find("type"), got.type) &&
         same_text(want.find("data_type"), got.type) && same_text(want.find("format"), got.format);
}

/// What was recorded for one loader; `names` and `members` are per layout.
struct Recorded {
  std::shared_ptr<const json::Document> document;
  std::vector<json::Value> decisions;
  std::vector<json::Value> cases;

  explicit Recorded(const std::string& file)
      : document(testing::read_json(std::string(CKPT_FIXTURES) + "/loaders/" + file)) {
    REQUIRE(document != nullptr);
    decisions = items(document->root().find("decisions"));
    cases = items(document->root().find("cases"));
  }

  /// HF modules behind each recorded module: itself, or the members of a fused engine module.
  [[nodiscard]] std::vector<std::vector<std::string>> members(const std::string& layout) const {
    std::vector<std::vector<std::string>> out;
    for (const json::Value& n : items(document->root().find("names").find(layout))) {
      out.push_back({text_of(n)});
    }
    const auto fused = items(document->root().find("members").find(layout));
    for (std::size_t i = 0; i < fused.size(); ++i) {
      out[i].clear();
      for (const json::Value& m : items(fused[i])) out[i].push_back(text_of(m));
    }
    return out;
  }
};

void compare_case(const json::Value& golden, const Recorded& recorded,
                  const loaders::LoadPlan& plan, const arch::Blueprint& blueprint, Tally& tally) {
  const std::string id = text_of(golden.find("id"));
  if (const json::Value error = golden.find("error")) {
    const std::string type = text_of(error.find("error"));
    return tally.count(plan.refused.starts_with(type + ":"), id);
  }
  const auto members = recorded.members(text_of(golden.find("layout")));
  const auto indices = items(golden.find("modules"));
  // In transformers a compressed-tensors repo's experts are one fused module that no target can
  // name; what happens to packed ones stands apart.
  const json::Value scheme = golden.find("experts_scheme");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const json::Value want = recorded.decisions[static_cast<std::size_t>(*indices[i].integer())];
    for (const std::string& member : members[i]) {
      const std::int32_t at = blueprint.find(member);
      if (at < 0) continue;
      const arch::Module& m = blueprint.modules()[static_cast<std::size_t>(at)];
      if (!m.linear) continue;
      const loaders::Decision* got = plan.decision(static_cast<std::uint32_t>(at));
      const bool apart = m.expert >= 0 && scheme.is(json::Kind::object);
      tally.count(got != nullptr && plan.refused.empty() && same(apart ? scheme : want, *got), id);
    }
  }
}

std::vector<std::string> names(const json::Value& list) {
  std::vector<std::string> out;
  for (const json::Value& v : items(list)) out.push_back(text_of(v));
  return out;
}

std::map<std::string, Tally> tally_of(loaders::Loader loader, const std::string& file) {
  const auto configs =
      testing::read_json(std::string(CKPT_FIXTURES) + "/loaders/decision_configs.json");
  REQUIRE(configs != nullptr);
  const Recorded recorded(file);
  std::map<std::string, Tally> tallies;
  std::size_t index = 0;
  for (const json::Value& c : items(configs->root().find("cases"))) {
    const json::Value want = recorded.cases[index++];
    const json::Value quant = c.find("quantization_config");
    const std::string model(configs->root().find("model").find(text_of(c.find("layout"))).raw());
    const testing::TempDir dir;
    dir.write("config.json", "{\"quantization_config\": " + std::string(quant.raw()) + "," +
                                 model.substr(model.find('{') + 1));
    const auto repo = repo::Repo::open(dir.path());
    REQUIRE(repo.has_value());
    const config::ModelConfig config = config::read_model_config(*repo);
    const auto blueprint = arch::build_blueprint(config, 1'000'000);
    REQUIRE(blueprint.has_value());
    const json::Value set = configs->root().find("stored_sets").find(text_of(c.find("stored")));
    const loaders::StoredNames stored{names(set.find("packed")), names(set.find("plain"))};
    const loaders::LoadPlan plan =
        loaders::make_plan(loader, config, *blueprint, set ? &stored : nullptr);
    compare_case(want, recorded, plan, *blueprint, tallies[text_of(quant.find("quant_method"))]);
  }
  return tallies;
}

/// `known`: the cases where prediction and record differ, each with its reason at the call.
void check_loader(loaders::Loader loader, const std::string& file,
                  const std::set<std::string>& known = {}) {
  const auto tallies = tally_of(loader, file);
  Tally all;
  std::string lines;
  for (const auto& [method, t] : tallies) {
    all.agree += t.agree;
    all.total += t.total;
    lines += "\n  " + method + ": " + std::to_string(t.agree) + " of " + std::to_string(t.total);
    for (const auto& [id, n] : t.wrong) {
      lines += ", differs: " + id + " in " + std::to_string(n);
      CHECK(known.contains(id));
    }
  }
  MESSAGE(loaders::loader_name(loader)
          << ": " << all.agree << " of " << all.total << " recorded decisions agree" << lines);
  CHECK(all.total > 10'000);
  CHECK(all.share() >= 0.995);
}

}  // namespace

TEST_CASE("vLLM 0.33: the recorded decisions of 162 configurations are predicted") {
  check_loader(loaders::Loader::vllm, "decisions_vllm.json");
}

TEST_CASE("transformers 5.17: the recorded decisions of 162 configurations are predicted") {
  // The record asked the quantizer alone, which raises; a whole load only warns about the unknown
  // method and builds 16-bit modules (case arv-method-auto_round of the recorded loads).
  check_loader(loaders::Loader::transformers, "decisions_transformers.json",
               {"ar-vl-method-underscore"});
}

TEST_CASE("SGLang 0.5.23: the recorded decisions of 162 configurations are predicted") {
  check_loader(loaders::Loader::sglang, "decisions_sglang.json");
}

}  // namespace ckpt
