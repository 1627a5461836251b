#include <fmt/format.h>

#include "reports/reports.h"
#include "reports/words.h"

namespace ckpt::reports {

std::string concise(const results::Results& r) {
  std::string out;
  for (const results::Finding& f : r.findings) {
    std::string place;
    std::string tensor;
    if (!f.where.empty()) {
      const results::Location& w = f.where.front();
      place = w.line != 0 ? fmt::format("{}:{}:{}", w.file, w.line, w.column) : w.file;
      if (!w.tensor.empty()) tensor = fmt::format(" [{}]", w.tensor);
    }
    const std::string_view level =
        f.status == "new" ? results::severity_name(f.severity) : std::string_view(f.status);
    out += fmt::format("{}: {} {} {}: {}{}{}\n", place.empty() ? r.target.input : place, level,
                       f.code, f.name, f.message, tensor, f.repairable ? " [*]" : "");
  }
  out += fmt::format("{}: {}\n", r.run.verdict, counts_text(r));
  return out;
}

}  // namespace ckpt::reports
