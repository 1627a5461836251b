#include <chrono>

#include "validator/base/heap.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/check.h"

namespace ckpt::cli {
namespace {

results::Results unreadable(const std::string& target, const Error& error) {
  results::Results r;
  r.target.input = shown(target, 1000);
  r.run.verdict = "incomplete";
  r.run.exit_code = 2;
  r.run.incomplete.push_back({"target", error.message});
  return r;
}

}  // namespace

int run_check_command(const GlobalOptions& global, const CheckArgs& args, Interrupt& interrupt) {
  pipeline::CheckOptions options;
  if (args.deep) options.values = true;
  if (args.headers_only) options.values = false;
  options.loaders = args.loaders;
  options.select = args.select;
  options.ignore = args.ignore;
  options.fail_on = parse_fail_on(args.fail_on);
  constexpr std::size_t kTableBytes = 128U << 20;  // what the tables of 120,000 tensors take
  prepare_heap(kTableBytes);
  ThreadPool pool(global.threads);
  std::vector<results::Results> all;
  {
    const auto progress = make_progress(global.progress_mode());
    for (const std::string& target : args.targets) {
      const auto begin = std::chrono::steady_clock::now();
      auto opened = pipeline::open_target(target);
      if (!opened) {
        all.push_back(unreadable(target, opened.error()));
        continue;
      }
      results::Results r =
          pipeline::run_check(**opened, options, pool, *progress, interrupt.token());
      r.run.fail_on = args.fail_on;
      if (!global.reproducible) {
        r.run.started = timestamp();
        r.run.duration_s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      }
      all.push_back(std::move(r));
      if (interrupt.exit_code() != 0) break;
    }
  }
  const int code = deliver(all, global, parse_show(args.show).value_or(1));
  return interrupt.exit_code() != 0 ? interrupt.exit_code() : code;
}

}  // namespace ckpt::cli
