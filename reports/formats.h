#pragma once
// The list of report formats. Adding one: its file, its line in formats.cpp.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/reports.h"
#include "validator/base/result.h"
#include "validator/results/results.h"

namespace ckpt::reports {

/// What the catalogue says about a rule; results name rules by code only.
struct RuleText {
  std::string_view code;
  std::string_view name;
  results::Severity severity = results::Severity::error;
  std::string_view what;
  std::string_view why;
  std::string_view bad;
  std::string_view good;
  std::string_view fix;
};

struct Options {
  TextOptions text;
  std::span<const RuleText> rules;  ///< ordered by code
  std::string table = "findings";   ///< of csv
  std::string figure = "layers";    ///< of svg
};

using ResultsList = std::vector<results::Results>;

/// Renders several targets as one report. Errors: not_found (the results do not hold what is asked
/// for), usage (several targets where a format takes one).
using Render = Result<std::string> (*)(const ResultsList&, const Options&);

struct Format {
  std::string_view name;
  std::string_view purpose;
  Render render;
};

[[nodiscard]] std::span<const Format> formats();
[[nodiscard]] const Format* find_format(std::string_view name);

/// `text, concise, json, ...`.
[[nodiscard]] std::string format_names();

/// The catalogue's entry of a code, or null.
[[nodiscard]] const RuleText* find_rule(const Options& options, std::string_view code);

// Each format, one per file.
[[nodiscard]] Result<std::string> render_sarif(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_junit(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_codequality(const ResultsList& all,
                                                     const Options& options);
[[nodiscard]] Result<std::string> render_github(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_markdown(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_csv(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_card(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_html(const ResultsList& all, const Options& options);
[[nodiscard]] Result<std::string> render_svg(const ResultsList& all, const Options& options);

/// Figures of the svg format.
[[nodiscard]] std::vector<std::string> figure_names();

/// Tables of the csv format.
[[nodiscard]] std::vector<std::string> table_names();

}  // namespace ckpt::reports
