// SARIF 2.1.0 within what GitHub code scanning accepts (interfaces, section 8).

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/words.h"

namespace ckpt::reports {
namespace {

using Json = nlohmann::ordered_json;
using results::Finding;
using results::Location;
using results::Results;
using results::Severity;

constexpr std::size_t kResults = 25'000;  // GitHub refuses a run with more
constexpr std::size_t kRelated = 20;
constexpr std::size_t kFullDescription = 1024;
constexpr std::string_view kBase = "CKPT_ROOT";

std::string_view level(Severity s) {
  return s == Severity::error ? "error" : s == Severity::warning ? "warning" : "note";
}

/// A `[text](target)` in a message would be a link.
std::string unlinked(std::string text) {
  for (std::size_t at = 0; (at = text.find("](", at)) != std::string::npos; at += 3) {
    text.insert(at + 1, " ");
  }
  return text;
}

Json text_json(std::string_view text) {
  return {{"text", text.empty() ? std::string("-") : unlinked(std::string(text))}};
}

/// The explain page as Markdown; the catalogue is ours, so nothing is escaped.
std::string help_markdown(const RuleText& r) {
  return fmt::format(
      "**What it checks.** {}\n\n**Why it matters.** {}\n\n**Fails:** {}\n\n**Passes:** {}\n\n"
      "**How to fix it.** {}\n",
      r.what, r.why, r.bad, r.good, r.fix);
}

std::string help_text(const RuleText& r) {
  return fmt::format("{}\n\nWhy it matters: {}\n\nHow to fix it: {}", r.what, r.why, r.fix);
}

Json rule_json(const std::string& code, const RuleText* r) {
  if (r == nullptr) return {{"id", code}, {"shortDescription", text_json(code)}};
  std::string name(r->name);
  std::ranges::replace(name, '-', ' ');
  const std::string full = fmt::format("{} {}", r->what, r->why);
  const std::string_view problem =
      r->severity == Severity::info ? "recommendation" : results::severity_name(r->severity);
  return {{"id", code},
          {"name", r->name},
          {"shortDescription", text_json(name)},
          {"fullDescription", text_json(full.substr(0, kFullDescription))},
          {"help", {{"text", help_text(*r)}, {"markdown", help_markdown(*r)}}},
          {"defaultConfiguration", {{"level", level(r->severity)}}},
          {"properties",
           {{"tags", {"quantization", code.substr(0, 3)}},
            {"precision", "very-high"},
            {"problem", {{"severity", problem}}}}}};
}

Json artifact_json(const Results& r, std::string_view file) {
  return {{"uri", uri(path_from_here(r.target, file))}, {"uriBaseId", kBase}};
}

/// GitHub wants all four; a place in weights is shown at the first line of its file.
Json region_json(const Location& w) {
  const std::uint32_t line = std::max(w.line, 1U);
  const std::uint32_t column = std::max(w.column, 1U);
  const std::uint32_t end_line = std::max(w.end_line, line);
  const std::uint32_t least = end_line == line ? column + 1 : 1;
  return {{"startLine", line},
          {"startColumn", column},
          {"endLine", end_line},
          {"endColumn", std::max(w.end_column, least)}};
}

Json logical_json(const Location& w) {
  Json list = Json::array();
  const auto add = [&list](const std::string& name, std::string_view kind) {
    if (!name.empty()) list.push_back({{"fullyQualifiedName", name}, {"kind", kind}});
  };
  add(w.tensor, "tensor");
  add(w.module, "module");
  add(w.pointer, "json-pointer");
  return list;
}

Json location_json(const Results& r, const Location& w) {
  Json physical = {{"artifactLocation", artifact_json(r, w.file.empty() ? "config.json" : w.file)},
                   {"region", region_json(w)}};
  Json j = {{"physicalLocation", std::move(physical)}};
  if (Json logical = logical_json(w); !logical.empty()) j["logicalLocations"] = std::move(logical);
  return j;
}

/// A further instance; one inside a shard is a range of bytes there.
Json related_json(const Results& r, const Location& w, std::size_t id) {
  Json j = location_json(r, w);
  if (w.line == 0) {
    j["physicalLocation"].erase("region");
    if (w.byte_offset) j["physicalLocation"]["region"] = {{"byteOffset", *w.byte_offset}};
  }
  j["id"] = id;
  const std::string text = !w.note.empty() ? w.note : !w.tensor.empty() ? w.tensor : w.module;
  if (!text.empty()) j["message"] = text_json(text);
  return j;
}

Json fixes_json(const Results& r, const Finding& f) {
  std::map<std::string, Json> files;
  for (const results::Edit& e : f.edits) {
    if (e.from_base || e.end < e.begin) return Json::array();
    Json& list = files.try_emplace(e.file, Json::array()).first->second;
    list.push_back({{"deletedRegion", {{"byteOffset", e.begin}, {"byteLength", e.end - e.begin}}},
                    {"insertedContent", {{"text", e.text}}}});
  }
  if (files.empty()) return Json::array();
  Json changes = Json::array();
  for (auto& [file, list] : files) {
    changes.push_back(
        {{"artifactLocation", artifact_json(r, file)}, {"replacements", std::move(list)}});
  }
  return Json::array(
      {{{"description", text_json(f.fix)}, {"artifactChanges", std::move(changes)}}});
}

std::string message_of(const Finding& f) {
  std::string out = f.message.empty() ? f.name : f.message;
  out += ".";
  for (const std::string& e : effect_lines(f)) out += fmt::format("\nEffect: {}.", e);
  if (!f.fix.empty()) out += fmt::format("\nFix: {}.", f.fix);
  return out;
}

/// Needed by GitHub's schema: a location even when there is none.
const Location& main_or_none(const Finding& f) {
  static const Location kNone;
  const Location* main = main_place(f);
  if (main != nullptr) return *main;
  return f.where.empty() ? kNone : f.where.front();
}

Json result_json(const Results& r, const Finding& f, std::size_t rule_index) {
  const Location& main = main_or_none(f);
  Json j = {{"ruleId", f.code},
            {"ruleIndex", rule_index},
            {"level", level(f.severity)},
            {"message", text_json(message_of(f))},
            {"locations", Json::array({location_json(r, main)})}};
  Json related = Json::array();
  for (const Location& w : f.where) {
    if (&w == &main || related.size() == kRelated) continue;
    related.push_back(related_json(r, w, related.size() + 1));
  }
  if (!related.empty()) j["relatedLocations"] = std::move(related);
  j["partialFingerprints"] = {{"primaryLocationLineHash", f.fingerprint() + ":1"},
                              {"ckptCheck/v1", f.fingerprint()}};
  if (f.status != "new") {
    j["suppressions"] = Json::array(
        {{{"kind", "external"}, {"status", "accepted"}, {"justification", set_aside_text(f)}}});
  }
  j["baselineState"] = f.status == "known" ? "unchanged" : "new";
  if (Json fixes = fixes_json(r, f); !fixes.empty()) j["fixes"] = std::move(fixes);
  j["properties"] = {{"count", f.count}, {"subject", f.subject}};
  return j;
}

Json invocation_json(const Results& r, std::size_t left_out) {
  Json notes = Json::array();
  for (const results::Incomplete& i : r.run.incomplete) {
    notes.push_back({{"level", "error"}, {"message", text_json(i.what + ": " + i.why)}});
  }
  if (left_out != 0) {
    notes.push_back({{"level", "warning"},
                     {"message", text_json(fmt::format("{} findings left out", left_out))}});
  }
  Json j = {{"executionSuccessful", r.run.incomplete.empty()}, {"exitCode", r.run.exit_code}};
  if (!r.run.started.empty()) j["startTimeUtc"] = r.run.started;
  if (!notes.empty()) j["toolExecutionNotifications"] = std::move(notes);
  return j;
}

Json run_json(const Results& r, const Options& options) {
  std::vector<std::string> codes = r.rule_codes;
  for (const Finding& f : r.findings) codes.push_back(f.code);
  std::ranges::sort(codes);
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
  Json rules = Json::array();
  for (const std::string& c : codes) rules.push_back(rule_json(c, find_rule(options, c)));
  Json list = Json::array();
  for (const Finding& f : r.findings) {
    if (list.size() == kResults) break;
    const auto at = std::ranges::lower_bound(codes, f.code) - codes.begin();
    list.push_back(result_json(r, f, static_cast<std::size_t>(at)));
  }
  const std::size_t left_out = r.findings.size() - list.size();
  return {{"tool",
           {{"driver",
             {{"name", "ckpt-check"},
              {"semanticVersion", r.tool_version},
              {"rules", std::move(rules)}}}}},
          {"automationDetails", {{"id", fmt::format("ckpt-check/{}/", repo_name(r.target))}}},
          {"columnKind", "unicodeCodePoints"},
          {"originalUriBaseIds",
           {{std::string(kBase),
             {{"description", {{"text", "The folder in which ckpt-check was started."}}}}}}},
          {"invocations", Json::array({invocation_json(r, left_out)})},
          {"results", std::move(list)}};
}

}  // namespace

Result<std::string> render_sarif(const ResultsList& all, const Options& options) {
  Json runs = Json::array();
  for (const Results& r : all) runs.push_back(run_json(r, options));
  const Json log = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                    {"version", "2.1.0"},
                    {"runs", std::move(runs)}};
  return log.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ckpt::reports
