#include <algorithm>

#include "reports/card.h"
#include "reports/formats.h"
#include "validator/base/file.h"
#include "validator/base/limits.h"
#include "validator/base/line_diff.h"
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

/// A diff with what its lines hold escaped.
std::string shown_diff(const std::string& diff) {
  std::string out;
  std::size_t begin = 0;
  while (begin < diff.size()) {
    const std::size_t end = std::min(diff.find('\n', begin), diff.size());
    out += shown(std::string_view(diff).substr(begin, end - begin), 1000) + "\n";
    begin = end + 1;
  }
  return out;
}

/// The card with our block and, when asked for, our entry of the front matter.
Result<std::string> updated_card(std::string card, const std::vector<results::Results>& all,
                                 const ReportArgs& args, const reports::Options& options) {
  CKPT_TRY(const std::string block, reports::render_card(all, options), "card");
  if (args.front_matter) {
    CKPT_TRY(card, reports::update_front_matter(card, all.front()), args.update);
  }
  return reports::update_card(card, block);
}

/// Shows the change of a model card, then writes it.
Result<void> update(const std::vector<results::Results>& all, const ReportArgs& args,
                    const reports::Options& options) {
  const std::string name = "--update " + shown(args.update, 1000);
  CKPT_TRY(const File file, open_file(args.update), name);
  CKPT_TRY(const std::string before, read_text(file, limits::kTextBytes), name);
  CKPT_TRY(const std::string after, updated_card(before, all, args, options), "--update");
  CKPT_TRY_VOID(write_stdout(shown_diff(unified_diff(args.update, before, after))), "--update");
  if (args.diff || after == before) return {};
  return write_file(args.update, after);
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
  if (!args.update.empty()) {
    const Result<void> done = update(*all, args, options);
    if (!done) complain(done.error().message);
    return done ? 0 : 2;
  }
  return deliver_reports(*all, global, options) ? 0 : 2;
}

}  // namespace ckpt::cli
