// JUnit XML inside Jenkins' junit-10.xsd. Passing rules are listed, so that a dashboard shows when
// one disappears (interfaces, section 9).

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/words.h"

namespace ckpt::reports {
namespace {

using results::Finding;
using results::Results;

/// One testcase. `outcome` is its children, already XML.
struct Case {
  std::string group;
  std::string name;
  std::string outcome;
  bool failed = false;
  bool error = false;
  bool skipped = false;
};

std::string element(std::string_view tag, std::string_view type, std::string_view message,
                    std::string_view body) {
  return fmt::format("<{} type=\"{}\" message=\"{}\">{}</{}>", tag, xml(type), xml(message),
                     xml(body), tag);
}

/// A finding with all its places.
std::string full_text(const Finding& f) {
  std::string out =
      fmt::format("{}[{}] {}: {}\n", results::severity_name(f.severity), f.code, f.name, f.message);
  for (const results::Location& w : f.where) {
    out += fmt::format("  --> {}", place_text(w));
    if (!w.tensor.empty()) out += "  " + w.tensor;
    if (!w.note.empty()) out += "  " + w.note;
    out += "\n";
  }
  if (f.count > f.where.size()) out += fmt::format("  {} in all\n", f.count);
  for (const std::string& e : effect_lines(f)) out += "  effect  " + e + "\n";
  if (!f.fix.empty()) out += "  fix     " + f.fix + "\n";
  return out;
}

/// What one rule comes to: the findings that fail it, else those that were set aside.
Case rule_case(const Results& r, const std::string& code, const std::string& name,
               const std::vector<const Finding*>& findings) {
  Case c{code.substr(0, 3), code + " " + name, {}};
  std::string failing, passing, aside;
  const Finding* first = nullptr;
  for (const Finding* f : findings) {
    if (f->status != "new") {
      aside += (aside.empty() ? "" : "; ") + set_aside_text(*f);
    } else if (fails(r.run, *f)) {
      if (first == nullptr) first = f;
      failing += full_text(*f);
    } else {
      passing += full_text(*f);
    }
  }
  if (first != nullptr) {
    c.failed = true;
    c.outcome = element("failure", results::severity_name(first->severity), first->message,
                        failing + passing);
  } else if (!passing.empty()) {
    c.outcome = fmt::format("<system-out>{}</system-out>", xml(passing));
  } else if (!aside.empty()) {
    c.skipped = true;
    c.outcome = element("skipped", findings.front()->status, aside, "");
  }
  return c;
}

std::string rule_name(const Options& options, const std::string& code,
                      const std::vector<const Finding*>& findings) {
  if (!findings.empty()) return findings.front()->name;
  const RuleText* rule = find_rule(options, code);
  return rule == nullptr ? "unknown" : std::string(rule->name);
}

std::vector<Case> structure_cases(const Results& r, const Options& options) {
  std::map<std::string, std::vector<const Finding*>> by_code;
  for (const std::string& code : r.rule_codes) by_code[code];
  for (const Finding& f : r.findings) {
    if (!f.code.starts_with("NUM")) by_code[f.code].push_back(&f);
  }
  std::vector<Case> cases;
  for (const auto& [code, findings] : by_code) {
    cases.push_back(rule_case(r, code, rule_name(options, code, findings), findings));
  }
  for (const results::Incomplete& s : r.rules_skipped) {
    if (by_code.contains(s.what)) continue;
    Case c{s.what.substr(0, 3), s.what + " " + rule_name(options, s.what, {}), {}};
    c.skipped = true;
    c.outcome = element("skipped", "not selected", s.why, "");
    cases.push_back(std::move(c));
  }
  for (const results::Incomplete& i : r.run.incomplete) {
    Case c{"run", i.what, {}};
    c.error = true;
    c.outcome = element("error", "incomplete", i.why, "");
    cases.push_back(std::move(c));
  }
  return cases;
}

Case gate_case(const Results& r, const results::Gate& g) {
  Case c{"NUM",
         fmt::format("{} {} {} {}", g.code.empty() ? "NUM" : g.code, g.name, g.op, number(g.limit)),
         {}};
  const std::string value = g.value ? number(*g.value) : std::string("no value");
  const auto waived = std::ranges::find_if(r.findings, [&g](const Finding& f) {
    return f.code == g.code && f.status != "new" && f.subject == g.name;
  });
  if (g.status == "fail" && waived != r.findings.end()) {
    c.skipped = true;
    c.outcome = element("skipped", waived->status, set_aside_text(*waived), "");
  } else if (g.status == "fail") {
    c.failed = true;
    c.outcome = element("failure", "gate", fmt::format("{} is {}", g.name, value), "");
  } else if (g.status != "pass") {
    c.error = true;
    c.outcome = element("error", g.status, fmt::format("{} is {}", g.name, value), "");
  } else {
    c.outcome = fmt::format("<system-out>{} is {}</system-out>", xml(g.name), xml(value));
  }
  return c;
}

std::string suite(const std::string& name, std::vector<Case> cases, const Results& r,
                  const std::string& suffix) {
  // GitLab drops a second case of the same name.
  std::map<std::string, int> seen;
  std::string body;
  for (Case& c : cases) {
    if (const int n = seen[c.group + c.name]++; n != 0) c.name += fmt::format(" ({})", n + 1);
    body += fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
                        xml("ckpt-check." + c.group + suffix), xml(c.name));
    body += c.outcome.empty() ? "/>\n" : fmt::format(">{}</testcase>\n", c.outcome);
  }
  std::string stamp;
  if (!r.run.started.empty()) stamp = fmt::format(" timestamp=\"{}\"", xml(r.run.started));
  return fmt::format(
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
      "time=\"{:.3f}\"{}>\n{}  </testsuite>\n",
      xml(name), cases.size(), std::ranges::count(cases, true, &Case::failed),
      std::ranges::count(cases, true, &Case::error),
      std::ranges::count(cases, true, &Case::skipped), std::clamp(r.run.duration_s, 0.0, 1e9),
      stamp, body);
}

}  // namespace

Result<std::string> render_junit(const ResultsList& all, const Options& options) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"ckpt-check\">\n";
  for (const Results& r : all) {
    const std::string repo = repo_name(r.target);
    const std::string suffix = all.size() > 1 ? "." + repo : "";
    std::vector<Case> structure = structure_cases(r, options);
    if (!structure.empty()) {
      out += suite(repo + ": structure", std::move(structure), r, suffix);
    }
    std::vector<Case> numbers;
    for (const results::Gate& g : r.gates) numbers.push_back(gate_case(r, g));
    if (!numbers.empty()) out += suite(repo + ": numbers", std::move(numbers), r, suffix);
  }
  return out + "</testsuites>\n";
}

}  // namespace ckpt::reports
