// GitLab's code quality: a list of findings, each at one line of one file.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/formats.h"
#include "reports/words.h"

namespace ckpt::reports {
namespace {

using Json = nlohmann::ordered_json;
using results::Severity;

std::string_view level(Severity s) {
  return s == Severity::error ? "major" : s == Severity::warning ? "minor" : "info";
}

}  // namespace

Result<std::string> render_codequality(const ResultsList& all, const Options&) {
  Json list = Json::array();
  for (const results::Results& r : all) {
    for (const results::Finding& f : r.findings) {
      if (f.status != "new") continue;  // GitLab knows no accepted issue
      const results::Location* w = main_place(f);
      const std::string path = path_from_here(r.target, w == nullptr ? "config.json" : w->file);
      // GitLab drops what has a fingerprint seen before, so two targets need two.
      list.push_back(
          {{"description", fmt::format("{}: {}", f.name, f.message)},
           {"check_name", f.code},
           {"fingerprint", results::sha256_hex(path + "\n" + f.fingerprint())},
           {"severity", level(f.severity)},
           {"location",
            {{"path", path}, {"lines", {{"begin", w == nullptr ? 1 : std::max(w->line, 1U)}}}}}});
    }
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ckpt::reports
