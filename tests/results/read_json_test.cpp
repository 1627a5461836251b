// What to_json writes, from_json reads without loss; what others wrote, it refuses with a reason.

#include <doctest/doctest.h>

#include <array>

#include "tests/reports/sample.h"
#include "tests/support.h"

namespace ckpt {
namespace {

using results::from_json;
using results::to_json;

results::Results full() {
  return testing::sample_results([](std::string_view name) { return "the " + std::string(name); });
}

std::string edited(std::string text, std::string_view before, std::string_view after) {
  const std::size_t at = text.find(before);
  REQUIRE(at != std::string::npos);
  return text.replace(at, before.size(), after);
}

}  // namespace

TEST_CASE("results survive writing and reading, to the byte, empty and full, one and many") {
  for (const std::vector<results::Results>& all :
       {std::vector{results::Results{}}, std::vector{full()},
        std::vector{full(), results::Results{}}, std::vector<results::Results>{}}) {
    const std::string text = to_json(all);
    const auto read = from_json(text);
    REQUIRE(read.has_value());
    CHECK(read->size() == all.size());
    CHECK(to_json(*read) == text);
  }
}

TEST_CASE("every field arrives, not only what is printed again") {
  const auto read = from_json(to_json(full()));
  REQUIRE(read.has_value());
  const results::Results& r = read->front();
  CHECK(r.findings[0].where[1].byte_offset == 4096);
  CHECK(r.findings[0].where[0].source_line == "the source_line");
  CHECK(r.findings[0].effects[1].state == results::LoaderState::wrong_output);
  CHECK(r.findings[0].edits[0].text == "the edit");
  CHECK(r.findings[2].waiver->reason == "the reason");
  CHECK(r.checkpoint.kept == "the kept");
  CHECK(r.metrics->kl.max == HUGE_VAL);
  CHECK(std::isnan(r.metrics->kl.percentiles.at("99.9")));
  CHECK(r.metrics->over_text->positions[0].context[1].text == "the token");
  const results::WorstPosition& worst = r.metrics->over_text->positions[0];
  REQUIRE(worst.reference_top.size() == 2);
  CHECK(worst.reference_top[1].token == "the reference_top");
  CHECK(worst.reference_top[1].log_p == -2.5);
  CHECK(worst.candidate_top[0].id == 8);
  CHECK(r.metrics->layers[1].router_gate_tv == 0.03);
  CHECK(r.metrics->experts[1].tokens_candidate == 8);
  CHECK(r.metrics->attribution->costs[1].expert == 7);
  CHECK(r.metrics->attribution->advice->promotions[0].predicted_kl == 0.0088);
  CHECK(r.how.seed == 5);
  CHECK(r.gates[1].value == 0.039);
  CHECK_FALSE(r.gates[1].lower.has_value());
}

TEST_CASE("escapes that were written stay as they are, controls that somebody added are escaped") {
  results::Results r = full();
  r.findings[0].message = R"(a\x1bb)";
  const std::string text = to_json(r);
  const auto same = from_json(text);
  REQUIRE(same.has_value());
  CHECK(same->front().findings[0].message == R"(a\x1bb)");
  r.metrics->attribution->advice->fragment = "{\n  \"a\": 1\n}\n";
  CHECK(from_json(to_json(r))->front().metrics->attribution->advice->fragment ==
        r.metrics->attribution->advice->fragment);
  const auto changed = from_json(edited(text, R"(a\\x1bb)", R"(a\u001b[2J\u202e\n)"));
  REQUIRE(changed.has_value());
  CHECK(changed->front().findings[0].message == R"(a\x1b[2J\u{202e}\x0a)");
}

TEST_CASE("what is no results file is refused with its place") {
  struct Row {
    std::string text;
    ErrorKind kind;
    std::string_view message;
  };

  const std::string good = to_json(full());
  for (const Row& row : {
           Row{"", ErrorKind::format, "results"},
           Row{"{", ErrorKind::format, "results"},
           Row{"{}", ErrorKind::format, "no schema_version"},
           Row{"7", ErrorKind::format, "no schema_version"},
           Row{"[[]]", ErrorKind::format, "no schema_version"},
           Row{std::string(100'000, '['), ErrorKind::limit, "results"},
           Row{edited(good, "\"1.2\"", "\"2.0\""), ErrorKind::unsupported, "schema version 2.0"},
           Row{edited(good, "\"the message\"", "[1]"), ErrorKind::format, "array where a string"},
           Row{edited(good, "\"count\": 60", "\"count\": -1"), ErrorKind::format, "a count"},
           Row{edited(good, "\"line\": 6", "\"line\": 4294967296"), ErrorKind::format, "in range"},
           Row{edited(good, "\"severity\": \"error\"", "\"severity\": \"fatal\""),
               ErrorKind::format, "a known severity"},
           Row{edited(good, "\"findings\": [", "\"findings\": {}, \"x\": ["), ErrorKind::format,
               "object where an array"},
           Row{edited(good, "\"metrics\": {", "\"metrics\": 3, \"x\": {"), ErrorKind::format,
               "number where an object"},
       }) {
    CAPTURE(row.text.substr(0, 40));
    const auto read = from_json(row.text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().kind == row.kind);
    CAPTURE(read.error().message);
    CHECK(read.error().message.find(row.message) != std::string::npos);
  }
}

TEST_CASE("fields of a later minor version and absent ones do no harm") {
  const auto later = from_json(edited(to_json(full()), "\"schema_version\": \"1.2\"",
                                      "\"schema_version\": \"1.9\", \"new\": {\"deep\": [1]}"));
  REQUIRE(later.has_value());
  CHECK(later->front().findings.size() == 3);
  CHECK(from_json(R"({"schema_version": "1.0"})").has_value());
  const auto before = from_json(
      R"({"schema_version": "1.1", "metrics": {"layers": [{"layer": 0}], "experts": [{"tokens": 3}],)"
      R"("over_text": {"positions": [{"reference": {"id": 1, "token": "a", "p": 0.5}}]}}})");
  REQUIRE(before.has_value());
  const results::Metrics& m = *before->front().metrics;
  CHECK_FALSE(m.layers[0].router_gate_tv.has_value());
  CHECK_FALSE(m.experts[0].tokens_candidate.has_value());
  CHECK(m.over_text->positions[0].reference_top.empty());
}

TEST_CASE("every prefix of a results file ends in an error, not in a crash") {
  const std::string good = to_json(full());
  for (std::size_t n = 0; n + 2 < good.size(); n += 7) {
    CHECK_FALSE(from_json(good.substr(0, n)).has_value());
  }
}

}  // namespace ckpt
