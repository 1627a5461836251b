#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "reports/formats.h"
#include "validator/base/file.h"
#include "validator/base/text.h"
#include "validator/base/write_all.h"
#include "validator/cli/options.h"
#include "validator/results/reproducible.h"
#include "validator/rules/rule.h"

namespace ckpt::cli {
namespace {

/// Of several exit codes: a bug, then a certain finding, then incomplete, then inconclusive.
int combine(int a, int b) {
  for (const int code : {3, 1, 2, 4}) {
    if (a == code || b == code) return code;
  }
  return std::max(a, b);
}

/// The catalogue as reports see it.
std::vector<reports::RuleText> rule_texts() {
  std::vector<reports::RuleText> out;
  for (const rules::Rule* r : rules::all_rules()) {
    out.push_back({r->code, r->name, r->severity, r->what, r->why, r->bad, r->good, r->fix});
  }
  return out;
}

bool write_to(const std::string& path, const std::string& content) {
  const Result<void> done = path == "-" ? write_stdout(content) : write_file(path, content);
  if (!done) complain("cannot write the report: " + done.error().message);
  return done.has_value();
}

bool write_report(const std::string& path, std::string_view format,
                  const std::vector<results::Results>& all, const reports::Options& options) {
  const Result<std::string> content = reports::find_format(format)->render(all, options);
  if (content) return write_to(path, *content);
  complain(fmt::format("no {} report: {}", format, content.error().message));
  return false;
}

/// GitHub shows what a step appends to the file that this variable names.
bool append_summary(const std::vector<results::Results>& all, const reports::Options& options) {
  const char* path = std::getenv("GITHUB_STEP_SUMMARY");
  if (path == nullptr || *path == '\0') return true;
  const Result<std::string> content = reports::render_markdown(all, options);
  std::ofstream file(path, std::ios::binary | std::ios::app);
  if (content) file << *content;
  file.flush();
  if (!file) complain("cannot append to the file that GITHUB_STEP_SUMMARY names");
  return static_cast<bool>(file);
}

/// One `FORMAT=PATH`; without a path it goes to standard output.
bool write_additional(const std::string& report, const std::vector<results::Results>& all,
                      const reports::Options& options) {
  const std::size_t eq = report.find('=');
  const std::string format = report.substr(0, eq);
  const std::string path = eq == std::string::npos ? "-" : report.substr(eq + 1);
  const bool written = write_report(path, format, all, options);
  return (format != "github" || append_summary(all, options)) && written;
}

}  // namespace

ColorMode GlobalOptions::color_mode() const {
  if (color == "always") return ColorMode::always;
  return color == "never" ? ColorMode::never : ColorMode::automatic;
}

ProgressMode GlobalOptions::progress_mode() const {
  if (progress == "bar") return ProgressMode::bar;
  if (progress == "plain") return ProgressMode::plain;
  if (progress == "json") return ProgressMode::json;
  return progress == "none" || quiet > 0 ? ProgressMode::none : ProgressMode::automatic;
}

std::string GlobalOptions::outputs_flaw() const {
  std::vector<std::string> paths{output};
  for (const std::string& report : reports) {
    const std::size_t eq = report.find('=');
    if (eq != std::string::npos) paths.push_back(report.substr(eq + 1));
  }
  for (const std::string& path : paths) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (folder.empty() || std::filesystem::is_directory(folder, error)) continue;
    return fmt::format("cannot write {}: there is no folder {}", shown(path, 1000),
                       shown(folder.string(), 1000));
  }
  return {};
}

repo::HubOptions GlobalOptions::hub(std::stop_token stop) const {
  const ProgressMode mode = progress_mode();
  const auto say = [mode](std::string_view line) {
    if (mode == ProgressMode::none) return;
    const std::string text = mode == ProgressMode::json
                                 ? nlohmann::json{{"stage", "hub"}, {"message", line}}.dump(
                                       -1, ' ', false, nlohmann::json::error_handler_t::replace) +
                                       "\n"
                                 : fmt::format("  {}\n", line);
    static_cast<void>(write_all(2, text));
  };
  return {.network = true,
          .offline = offline,
          .remote = remote,
          .token_file = token_file,
          .stop = std::move(stop),
          .say = say};
}

int deliver_text(const std::string& content, const GlobalOptions& global) {
  return write_to(global.output.empty() ? "-" : global.output, content) ? 0 : 2;
}

reports::Options report_options(const GlobalOptions& global, std::uint64_t show) {
  static const std::vector<reports::RuleText> kRules = rule_texts();
  reports::Options o;
  o.text.show = show;
  o.text.quiet = global.quiet > 0;
  o.text.verbose = global.verbose;
  o.rules = kRules;
  return o;
}

bool deliver_reports(const std::vector<results::Results>& given, const GlobalOptions& global,
                     reports::Options options) {
  std::vector<results::Results> changed;
  if (global.reproducible) {
    changed = given;
    for (results::Results& r : changed) results::make_reproducible(r);
  }
  const std::vector<results::Results>& all = global.reproducible ? changed : given;
  bool written = true;
  for (const std::string& report : global.reports) {
    written = write_additional(report, all, options) && written;
  }
  if (!global.output.empty()) {
    return write_report(global.output, global.format, all, options) && written;
  }
  if (global.quiet >= 2) return written;
  options.text.color = use_color(global.color_mode(), 1);
  options.text.width = screen_width();
  return write_report("-", global.format, all, options) && written;
}

int deliver(const std::vector<results::Results>& all, const GlobalOptions& global,
            std::uint64_t show) {
  int code = 0;
  for (const results::Results& r : all) code = combine(code, r.run.exit_code);
  const bool written = deliver_reports(all, global, report_options(global, show));
  return written ? code : combine(code, 2);
}

std::optional<std::uint64_t> parse_show(const std::string& text) {
  if (text == "all") return std::numeric_limits<std::uint64_t>::max();
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

pipeline::FailOn parse_fail_on(const std::string& text) {
  if (text == "warning") return pipeline::FailOn::warning;
  if (text == "info") return pipeline::FailOn::info;
  return text == "never" ? pipeline::FailOn::never : pipeline::FailOn::error;
}

std::string timestamp() {
  std::time_t now = std::time(nullptr);
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) now = std::strtoll(epoch, nullptr, 10);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace ckpt::cli
