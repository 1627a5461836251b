#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "reports/reports.h"
#include "validator/base/file.h"
#include "validator/base/text.h"
#include "validator/cli/options.h"

namespace ckpt::cli {
namespace {

/// Of several exit codes: a bug, then a certain finding, then incomplete, then inconclusive.
int combine(int a, int b) {
  for (const int code : {3, 1, 2, 4}) {
    if (a == code || b == code) return code;
  }
  return std::max(a, b);
}

std::string render(const std::vector<results::Results>& all, const std::string& format,
                   const reports::TextOptions& text) {
  std::string out;
  if (format == "json" && all.size() != 1) {
    out = "[\n";
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::string one = results::to_json(all[i]);
      one.pop_back();
      out += one + (i + 1 < all.size() ? ",\n" : "\n");
    }
    return out + "]\n";
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != 0 && format == "text") out += "\n";
    out += format == "json"      ? results::to_json(all[i])
           : format == "concise" ? reports::concise(all[i])
                                 : reports::text(all[i], text);
  }
  return out;
}

bool write_to(const std::string& path, const std::string& content) {
  const Result<void> done = path == "-" ? write_stdout(content) : write_file(path, content);
  if (!done) complain("cannot write the report: " + done.error().message);
  return done.has_value();
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

int deliver_text(const std::string& content, const GlobalOptions& global) {
  return write_to(global.output.empty() ? "-" : global.output, content) ? 0 : 2;
}

int deliver(const std::vector<results::Results>& all, const GlobalOptions& global,
            std::uint64_t show) {
  int code = 0;
  for (const results::Results& r : all) code = combine(code, r.run.exit_code);
  reports::TextOptions text;
  text.show = show;
  text.quiet = global.quiet > 0;
  text.verbose = global.verbose;
  bool written = true;
  for (const std::string& report : global.reports) {
    const std::size_t eq = report.find('=');
    written = write_to(report.substr(eq + 1), render(all, report.substr(0, eq), text)) && written;
  }
  if (!global.output.empty()) {
    written = write_to(global.output, render(all, global.format, text)) && written;
  } else if (global.quiet < 2) {
    text.color = use_color(global.color_mode(), 1);
    text.width = screen_width();
    written = write_to("-", render(all, global.format, text)) && written;
  }
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
