// Each format's shape on a full results tree, and that no text of a checkpoint becomes markup.

#include "reports/formats.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/reports/hostile.h"

namespace ckpt::reports {
namespace {

using nlohmann::json;
using testing::hostile_results;
using testing::raw_results;

constexpr RuleText kRules[] = {
    {"CFG011", "float16-with-linear-attention", results::Severity::error, "what", "why", "bad",
     "good", "fix"},
    {"QNT004", "override-matches-no-module", results::Severity::error, "what", "why", "bad", "good",
     "fix"},
    {"TOK003", "tokenizer-class-too-new", results::Severity::warning, "what", "why", "bad", "good",
     "fix"},
};

Options options() {
  Options o;
  o.rules = kRules;
  return o;
}

std::string rendered(std::string_view format, const ResultsList& all, Options o = options()) {
  const auto out = find_format(format)->render(all, o);
  REQUIRE(out.has_value());
  return *out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Rows of RFC 4180 text.
std::vector<std::vector<std::string>> parse_csv(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      row.back() += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == ',') {
      row.emplace_back();
    } else if (!quoted && c == '\n') {
      rows.push_back(std::exchange(row, std::vector<std::string>(1)));
    } else {
      row.back() += c;
    }
  }
  CHECK_FALSE(quoted);
  return rows;
}

/// Names of all elements of an XML or HTML text.
std::set<std::string> tags_of(std::string_view text) {
  std::set<std::string> tags;
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string_view::npos; ++at) {
    const std::size_t end = text.find_first_of(" >\n", at);
    std::string name(text.substr(at + 1, end - at - 1));
    std::erase(name, '/');
    tags.insert(name);
  }
  return tags;
}

/// Markdown without what stands in code spans.
std::string without_code(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t end = text[i] == '`' && (i == 0 || text[i - 1] != '\\')
                                ? text.find('`', i + 1)
                                : std::string::npos;
    if (end == std::string::npos) {
      out += text[i];
    } else {
      i = end;
    }
  }
  return out;
}

results::Results plain_results() {
  return testing::sample_results([](std::string_view name) { return std::string(name); });
}

}  // namespace

TEST_CASE("SARIF: levels, indices, regions, fingerprints, suppressions and fixes") {
  results::Results r = plain_results();
  r.target.input = "./models/a b";
  const json log = json::parse(rendered("sarif", {r}));
  const json& run = log["runs"][0];
  REQUIRE(run["results"].size() == 3);
  for (const json& result : run["results"]) {
    const auto index = result["ruleIndex"].get<std::size_t>();
    CHECK(run["tool"]["driver"]["rules"][index]["id"] == result["ruleId"]);
    const json& physical = result["locations"][0]["physicalLocation"];
    CHECK(physical["artifactLocation"]["uri"] == "models/a%20b/file");
    for (const char* edge : {"startLine", "startColumn", "endLine", "endColumn"}) {
      CHECK(physical["region"][edge].get<int>() >= 1);
    }
  }
  const json& first = run["results"][0];
  CHECK(first["level"] == "error");
  CHECK(first["partialFingerprints"]["primaryLocationLineHash"] ==
        r.findings[0].fingerprint() + ":1");
  CHECK(first["relatedLocations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "tensor");
  CHECK(first["fixes"][0]["artifactChanges"][0]["replacements"][0]["deletedRegion"] ==
        json{{"byteOffset", 2}, {"byteLength", 3}});
  CHECK_FALSE(first.contains("suppressions"));
  CHECK(run["results"][2]["suppressions"][0]["kind"] == "external");
  CHECK(run["invocations"][0]["executionSuccessful"] == false);
}

TEST_CASE("SARIF of hostile text: relative encoded addresses and no links in messages") {
  for (const results::Results& r : {hostile_results(), raw_results()}) {
    const json log = json::parse(rendered("sarif", {r}));
    for (const json& result : log["runs"][0]["results"]) {
      CHECK(result["message"]["text"].get<std::string>().find("](") == std::string::npos);
      const auto uri =
          result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].get<std::string>();
      CHECK(uri.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~/%") == std::string::npos);
    }
  }
}

TEST_CASE("JUnit: every rule that ran is a case, and counts agree with the children") {
  const std::string xml = rendered("junit", {plain_results()});
  CHECK(xml.find("name=\"repo_id: structure\" tests=\"5\" failures=\"1\" errors=\"1\" "
                 "skipped=\"1\"") != std::string::npos);
  CHECK(xml.find("name=\"repo_id: numbers\" tests=\"2\" failures=\"1\"") != std::string::npos);
  CHECK(xml.find("<testcase classname=\"ckpt-check.CFG\" name=\"CFG011 "
                 "float16-with-linear-attention\" time=\"0\"/>") != std::string::npos);
  CHECK(xml.find("<skipped type=\"not selected\" message=\"skipped\">") != std::string::npos);
}

TEST_CASE("JUnit of hostile text has our elements and no others, and only characters of XML") {
  for (const results::Results& r : {hostile_results(), raw_results()}) {
    const std::string xml = rendered("junit", {r});
    CHECK(tags_of(xml) == std::set<std::string>{"?xml", "testsuites", "testsuite", "testcase",
                                                "failure", "error", "skipped", "system-out"});
    CHECK(std::ranges::none_of(xml, [](char c) {
      const auto u = static_cast<unsigned char>(c);
      return (u < 0x20 && c != '\n' && c != '\r') || u == 0xFF;
    }));
  }
}

TEST_CASE("JUnit keeps a case apart from one of the same name, and two targets apart") {
  results::Results r = plain_results();
  r.run.incomplete.push_back(r.run.incomplete[0]);
  const std::string xml = rendered("junit", {r, r});
  CHECK(xml.find("name=\"what (2)\"") != std::string::npos);
  CHECK(xml.find("classname=\"ckpt-check.QNT.repo_id\"") != std::string::npos);
}

TEST_CASE("code quality: one entry for each finding that counts") {
  const json list = json::parse(rendered("codequality", {plain_results()}));
  REQUIRE(list.size() == 2);
  CHECK(list[0]["severity"] == "major");
  CHECK(list[1]["severity"] == "minor");
  CHECK(list[0]["location"]["lines"]["begin"] == 6);
  CHECK(list[0]["fingerprint"] != list[1]["fingerprint"]);
}

TEST_CASE("GitHub annotations: one line each, whatever the text, and at most ten of a level") {
  results::Results r = raw_results();
  std::vector<std::string> lines = lines_of(rendered("github", {r}));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("::error title=ckpt-check (QNT004),file="));
  CHECK(lines[1].starts_with("::warning title="));
  CHECK(lines[2].starts_with("::error title=ckpt-check (incomplete)::"));
  // A property ends at the first `::` after it: none may come from the file's name.
  const std::string properties = lines[0].substr(8, lines[0].find("::", 8) - 8);
  CHECK(std::ranges::count(properties, ',') == 4);
  CHECK(properties.find(",line=6,col=3,endColumn=9") != std::string::npos);
  for (int i = 0; i < 14; ++i) r.findings.push_back(r.findings[0]);
  lines = lines_of(rendered("github", {r}));
  CHECK(lines.size() == 13);
  CHECK(lines.back() == "::notice title=ckpt-check::5 findings more in the job's summary");
}

TEST_CASE("Markdown of hostile text: no element, table cell, link or mention of its own") {
  for (const results::Results& r : {hostile_results(), raw_results()}) {
    const std::string text = without_code(rendered("markdown", {r}));
    for (const std::string& tag : tags_of(text)) {
      CAPTURE(tag);
      CHECK(std::set<std::string>{"details", "summary", "b", "code", "sub", "!--"}.contains(
          tag.substr(0, 7)));
    }
    CHECK(text.find("@everyone") == std::string::npos);
    CHECK(text.find("://") == std::string::npos);
    for (std::size_t at = 0; (at = text.find("](", at)) != std::string::npos; ++at) {
      CHECK(text[at - 1] == '\\');
    }
    for (const std::string& line : lines_of(text)) {
      CHECK_FALSE(line.starts_with("# "));
      if (!line.starts_with("| ")) continue;
      const auto cells = std::ranges::count(line, '|');
      CAPTURE(line);
      CHECK((cells == 3 || cells == 4));
    }
  }
}

TEST_CASE("CSV: every table has the header's columns, and no text field is a formula") {
  for (const results::Results& r : {hostile_results(), raw_results()}) {
    for (const std::string& table : table_names()) {
      CAPTURE(table);
      Options o = options();
      o.table = table;
      const auto rows = parse_csv(rendered("csv", {r, r}, o));
      REQUIRE(rows.size() >= 3);
      CHECK(rows.size() % 2 == 1);
      for (const auto& row : rows) {
        CHECK(row.size() == rows[0].size());
        for (const std::string& field : row) {
          const bool number = !field.empty() &&
                              field.find_first_not_of("-+.0123456789eInfity") == std::string::npos;
          CHECK(
              (number || field.empty() || std::string("=+-@").find(field[0]) == std::string::npos));
        }
      }
    }
  }
}

TEST_CASE("CSV: what the results do not hold is an error, not an empty table") {
  Options o = options();
  o.table = "layers";
  CHECK(render_csv({results::Results{}}, o).error().kind == ErrorKind::not_found);
  o.table = "tensors";
  CHECK(render_csv({plain_results()}, o).error().kind == ErrorKind::usage);
}

TEST_CASE("JSON lines: one finding a line, equal to what the document holds") {
  const results::Results r = hostile_results();
  const json document = json::parse(results::to_json(r));
  const auto lines = lines_of(rendered("jsonl", {r}));
  REQUIRE(lines.size() == 3);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    json line = json::parse(lines[i]);
    CHECK(line["target"] == document["target"]["input"]);
    line.erase("target");
    CHECK(line == document["findings"][i]);
  }
}

TEST_CASE("every format takes no, one and two targets, and results with nothing in them") {
  for (const Format& f : formats()) {
    CAPTURE(f.name);
    for (const ResultsList& all : {ResultsList{}, ResultsList{results::Results{}},
                                   ResultsList{plain_results(), plain_results()}}) {
      const bool wants_one = f.name == "svg" || f.name == "card";
      const bool wants_metrics = f.name == "svg";
      const bool given =
          (!wants_one || all.size() == 1) && (!wants_metrics || (!all.empty() && all[0].metrics));
      CHECK(f.render(all, options()).has_value() == given);
    }
  }
}

TEST_CASE("places beyond all lines and numbers beyond all models do no harm") {
  results::Results r = plain_results();
  r.findings[0].where[0].column = 0;
  r.findings[1].where[0].column = 4'000'000'000U;
  r.metrics->layers[0].layer = -7;
  r.metrics->experts[0].expert = 2'000'000'000;
  r.run.duration_s = HUGE_VAL;
  for (const Format& f : formats()) {
    CAPTURE(f.name);
    CHECK(f.render({r}, options()).has_value());
  }
}

}  // namespace ckpt::reports
