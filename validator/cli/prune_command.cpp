// `prune-verify`: a pruned checkpoint against its base.

#include <fmt/format.h>

#include <chrono>

#include "validator/base/heap.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/prune.h"

namespace ckpt::cli {

int run_prune_command(const GlobalOptions& global, const PruneVerifyArgs& args,
                      Interrupt& interrupt) {
  constexpr std::size_t kHeapBytes = 256U << 20;
  prepare_heap(kHeapBytes);
  const auto begin = std::chrono::steady_clock::now();
  const auto candidate = pipeline::open_target(args.target);
  const auto base = pipeline::open_target(args.base);
  for (const auto* opened : {&candidate, &base}) {
    if (*opened) continue;
    complain(opened->error().message);
    return 2;
  }
  ThreadPool pool(global.threads);
  Result<pipeline::PruneReport> report = [&] {
    const auto progress = make_progress(global.progress_mode());
    return pipeline::verify_prune(
        {**candidate, **base, pool, *progress, interrupt.token(), parse_fail_on(args.fail_on)});
  }();
  if (!report) {
    complain(report.error().message);
    return interrupt.exit_code() != 0 ? interrupt.exit_code() : 2;
  }
  results::Results& r = report->results;
  r.run.fail_on = args.fail_on;
  r.run.started = timestamp();
  r.run.duration_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  constexpr std::uint64_t kPlaces = 3;
  return deliver({r}, global, kPlaces);
}

}  // namespace ckpt::cli
