#include <fmt/format.h>

#include "reports/formats.h"
#include "validator/base/file.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/cli/options.h"

namespace ckpt::cli {
namespace {

Result<std::vector<results::Results>> read_results(const std::string& path) {
  CKPT_TRY(const File file, open_file(path), shown(path, 1000));
  CKPT_TRY(std::string text, read_text(file, limits::kLargeJsonBytes), shown(path, 1000));
  auto all = results::from_json(std::move(text));
  if (!all) return tl::make_unexpected(std::move(all).error().in(shown(path, 1000)));
  return all;
}

}  // namespace

int run_report_command(GlobalOptions global, const ReportArgs& args) {
  const auto all = read_results(args.results);
  if (!all) {
    complain(all.error().message);
    return 2;
  }
  if (!args.to.empty()) global.format = args.to;
  reports::Options options = report_options(global, parse_show(args.show).value_or(1));
  options.table = args.table;
  options.figure = args.figure;
  return deliver_reports(*all, global, options) ? 0 : 2;
}

}  // namespace ckpt::cli
