// Annotations of GitHub Actions: workflow commands on standard output.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/words.h"

namespace ckpt::reports {
namespace {

using results::Finding;
using results::Results;

constexpr std::size_t kPerLevel = 10;  // GitHub shows no more of a step

std::string_view level(results::Severity s) {
  return s == results::Severity::error     ? "error"
         : s == results::Severity::warning ? "warning"
                                           : "notice";
}

std::string annotation(const Results& r, const Finding& f) {
  std::string properties =
      fmt::format("title={}", github_property(fmt::format("ckpt-check ({})", f.code)));
  if (const results::Location* w = main_place(f)) {
    properties += ",file=" + github_property(path_from_here(r.target, w->file));
    if (w->line != 0) {
      properties += fmt::format(",line={},col={}", w->line, std::max(w->column, 1U));
      if (w->end_line == w->line) properties += fmt::format(",endColumn={}", w->end_column);
    }
  }
  std::string message = f.name + ": " + f.message;
  for (const std::string& e : effect_lines(f)) message += "\neffect: " + e;
  if (!f.fix.empty()) message += "\nfix: " + f.fix;
  return fmt::format("::{} {}::{}\n", level(f.severity), properties, github_message(message));
}

}  // namespace

Result<std::string> render_github(const ResultsList& all, const Options&) {
  std::string out;
  std::array<std::size_t, 3> seen{};
  for (const Results& r : all) {
    for (const Finding& f : r.findings) {
      if (f.status != "new") continue;
      if (seen[static_cast<std::size_t>(f.severity)]++ < kPerLevel) out += annotation(r, f);
    }
    for (const results::Incomplete& i : r.run.incomplete) {
      out += fmt::format("::error title={}::{}\n", github_property("ckpt-check (incomplete)"),
                         github_message(i.what + ": " + i.why));
    }
  }
  std::size_t more = 0;
  for (const std::size_t n : seen) more += n - std::min(n, kPerLevel);
  if (more != 0) {
    out += fmt::format("::notice title=ckpt-check::{} more in the job's summary\n",
                       plural(more, "finding"));
  }
  return out;
}

}  // namespace ckpt::reports
