#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "validator/base/json.h"
#include "validator/base/text.h"
#include "validator/policy/apply.h"

namespace ckpt::policy {
namespace {

using results::Severity;

std::optional<Severity> severity_of(std::string_view name) {
  for (const Severity s : {Severity::info, Severity::warning, Severity::error}) {
    if (results::severity_name(s) == name) return s;
  }
  return std::nullopt;
}

}  // namespace

std::string write_baseline(const results::Results& results) {
  std::string out = "{\n  \"baseline\": 1,\n  \"findings\": [";
  bool first = true;
  for (const results::Finding& f : results.findings) {
    if (f.status == "waived") continue;
    out += fmt::format(
        "{}\n    {{\"fingerprint\": \"{}\", \"code\": \"{}\", \"severity\": \"{}\", \"count\": {}, "
        "\"subject\": {}}}",
        first ? "" : ",", f.fingerprint(), f.code, results::severity_name(f.severity), f.count,
        json::quoted(f.subject));
    first = false;
  }
  return out + (first ? "]\n}\n" : "\n  ]\n}\n");
}

Result<void> apply_baseline(results::Results& results, std::string_view baseline) {
  CKPT_TRY(const auto document, json::parse(std::string(baseline)), "baseline");
  const json::Value root = document->root();
  const json::Value list = root.find("findings");
  if (root.find("baseline").integer() != 1 || !list.is(json::Kind::array)) {
    return fail(ErrorKind::format, "not a baseline of this version");
  }

  struct Known {
    std::string fingerprint;
    std::string code;
    std::string subject;
    Severity severity = Severity::info;
    std::int64_t count = 0;
    bool found = false;
  };

  std::vector<Known> known;
  bool good = true;
  list.each([&](const json::Value& v) {
    const auto fingerprint = v.find("fingerprint").string();
    const auto severity = severity_of(v.find("severity").string().value_or(""));
    good = good && fingerprint && severity;
    if (!good) return;
    known.push_back({std::string(*fingerprint), shown(v.find("code").string().value_or("?"), 20),
                     shown(v.find("subject").string().value_or("?")), *severity,
                     v.find("count").integer().value_or(1)});
  });
  if (!good) return fail(ErrorKind::format, "an entry without fingerprint or severity");
  for (results::Finding& f : results.findings) {
    const auto it = std::ranges::find(known, f.fingerprint(), &Known::fingerprint);
    if (it == known.end()) continue;
    it->found = true;
    const bool worse = f.severity > it->severity || static_cast<std::int64_t>(f.count) > it->count;
    if (!worse && f.status == "new") f.status = "known";
  }
  for (const Known& k : known) {
    if (!k.found) {
      results.notes.push_back(fmt::format("fixed since the baseline: {} {}", k.code, k.subject));
    }
  }
  return {};
}

}  // namespace ckpt::policy
