// JSON Schema of ckpt-check.toml, from the table of its keys.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "validator/cli/options.h"
#include "validator/policy/keys.h"

namespace ckpt::cli {
namespace {

using Json = nlohmann::ordered_json;

Json value_schema(const policy::Key& key) {
  const bool number =
      std::holds_alternative<std::optional<std::uint64_t> policy::Settings::*>(key.to);
  const bool list = std::holds_alternative<std::vector<std::string> policy::Settings::*>(key.to);
  Json one{{"type", number ? "integer" : "string"}};
  if (number) one["minimum"] = 0;
  if (!key.allowed.empty()) one["enum"] = key.allowed;
  Json out = list ? Json{{"type", "array"}, {"items", std::move(one)}} : std::move(one);
  out["description"] = key.what;
  return out;
}

Json table(std::string_view what) {
  return {{"description", what},
          {"type", "object"},
          {"additionalProperties", false},
          {"properties", Json::object()}};
}

Json waiver_schema() {
  Json one = table("a finding that is accepted, why and until when");
  one["required"] = Json::array();
  for (const policy::WaiverKey& k : policy::waiver_keys()) {
    one["properties"][std::string(k.name)] = {{"type", "string"}, {"description", k.what}};
    if (k.required) one["required"].push_back(k.name);
  }
  one["properties"]["code"]["pattern"] = "^[A-Z]{3}[0-9]{3}$";
  one["properties"]["reason"]["minLength"] = policy::kShortestReason;
  // TOML dates become strings when a validator hands the file to JSON Schema.
  one["properties"]["expires"]["pattern"] = "^([0-9]{4}-[0-9]{2}-[0-9]{2}|never)$";
  return {{"type", "array"}, {"items", std::move(one)}};
}

}  // namespace

std::string settings_schema() {
  Json root = table("ckpt-check.toml: what a project has decided about its checks");
  root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  root["title"] = policy::kSettingsName;
  Json& sections = root["properties"];
  for (const policy::Key& k : policy::setting_keys()) {
    Json& section = sections[std::string(k.section)];
    if (section.is_null()) section = table(fmt::format("[{}]", k.section));
    section["properties"][std::string(k.name)] = value_schema(k);
  }
  sections["severity"] = {{"description", "severity of a rule, by its exact code"},
                          {"type", "object"},
                          {"propertyNames", {{"pattern", "^[A-Z]{3}[0-9]{3}$"}}},
                          {"additionalProperties", {{"enum", policy::severity_words()}}}};
  sections["gates"] = {
      {"description", "limits of numbers that `kl` measures, such as \"kl.mean\" = \"<= 0.014\""},
      {"type", "object"},
      {"additionalProperties",
       {{"type", "string"}, {"pattern", R"(^ *(<=|>=|<|>|==?) *-?[0-9.]+([eE][-+]?[0-9]+)? *$)"}}}};
  sections["waiver"] = waiver_schema();
  return root.dump(2) + "\n";
}

}  // namespace ckpt::cli
