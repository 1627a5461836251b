// Results against their own schema: `required`, `type` and `enum`, level by level.

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/reports.h"
#include "tests/reports/sample.h"

namespace ckpt {
namespace {

using nlohmann::json;

bool type_fits(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return type == "null" && value.is_null();
}

/// The part of JSON Schema that the results schema uses; empty when `value` fits.
std::string misfit(const json& value, json schema, const json& root, const std::string& at) {
  if (schema.contains("$ref")) {
    schema = root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1)));
  }
  if (schema.contains("oneOf")) {
    int fits = 0;
    for (const json& s : schema["oneOf"]) fits += misfit(value, s, root, at).empty() ? 1 : 0;
    if (fits != 1) return at + ": fits " + std::to_string(fits) + " of oneOf";
  }
  if (schema.contains("const") && value != schema["const"]) return at + ": const";
  if (schema.contains("enum")) {
    bool found = false;
    for (const json& e : schema["enum"]) found = found || e == value;
    if (!found) return at + ": enum";
  }
  if (schema.contains("type")) {
    bool fits = false;
    const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    for (const json& t : types) fits = fits || type_fits(value, t.get<std::string>());
    if (!fits) return at + ": type";
  }
  for (const json& name : schema.value("required", json::array())) {
    if (!value.contains(name.get<std::string>())) return at + ": lacks " + name.get<std::string>();
  }
  if (value.is_object() && schema.contains("properties")) {
    for (const auto& [name, sub] : schema["properties"].items()) {
      if (!value.contains(name)) continue;
      const std::string m = misfit(value[name], sub, root, at + "/" + name);
      if (!m.empty()) return m;
    }
  }
  if (value.is_array() && schema.contains("items")) {
    for (const json& item : value) {
      const std::string m = misfit(item, schema["items"], root, at + "/-");
      if (!m.empty()) return m;
    }
  }
  return {};
}

results::Results full() {
  results::Results r =
      testing::sample_results([](std::string_view name) { return "the " + std::string(name); });
  r.metrics->kl.mean = std::nan("");
  r.metrics->kl.percentiles["99"] = -INFINITY;
  return r;
}

}  // namespace

TEST_CASE("results fit their schema, empty and full, and what is not finite is a word") {
  const json schema = json::parse(reports::results_schema());
  for (const results::Results& r : {results::Results{}, full()}) {
    const json j = json::parse(results::to_json(r));
    CHECK(misfit(j, schema, schema, "") == "");
  }
  const json j = json::parse(results::to_json(full()));
  CHECK(j["metrics"]["kl"]["mean"] == "NaN");
  CHECK(j["metrics"]["kl"]["max"] == "Infinity");
  CHECK(j["metrics"]["kl"]["percentiles"]["99"] == "-Infinity");
}

TEST_CASE("the schema test itself notices what does not fit") {
  const json schema = json::parse(reports::results_schema());
  json j = json::parse(results::to_json(full()));
  j["findings"][0]["severity"] = "fatal";
  CHECK(misfit(j, schema, schema, "") == "/findings/-/severity: enum");
  j = json::parse(results::to_json(full()));
  j.erase("loaders");
  CHECK(misfit(j, schema, schema, "") == ": lacks loaders");
}

TEST_CASE("a fingerprint depends on code, file and subject alone") {
  results::Finding a;
  a.code = "QNT004";
  a.subject = "extra_config";
  a.where.resize(1);
  a.where[0].file = "config.json";
  results::Finding b = a;
  b.message = "other words";
  b.count = 9;
  b.where[0].line = 88;
  CHECK(a.fingerprint() == b.fingerprint());
  b.subject = "x";
  CHECK(a.fingerprint() != b.fingerprint());
  CHECK(results::sha256_hex("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace ckpt
