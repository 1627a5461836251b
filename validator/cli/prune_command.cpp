// `prune-verify`: a pruned checkpoint against its base.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "validator/base/heap.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/prune.h"

namespace ckpt::cli {

CLI::App* add_prune_command(CLI::App& app, PruneVerifyArgs& args) {
  CLI::App* c = app.add_subcommand("prune-verify",
                                   "Is a pruned checkpoint exactly the kept experts of its base?");
  c->add_option("TARGET", args.target, "The pruned checkpoint, quantized or not")->required();
  c->add_option("--base", args.base, "The checkpoint it was pruned from")->required();
  c->add_option("--fail-on", args.fail_on, "Least severity that fails: error, warning, info, never")
      ->check(CLI::IsMember({"error", "warning", "info", "never"}));
  c->footer(
      "\nThe kept experts are recovered from the router's rows, for each layer. Then every expert\n"
      "must be the base's expert in that place, whatever the spelling (stacked or per expert), "
      "and\n"
      "everything else must be unchanged, bit for bit. Quantized experts are decoded and must lie\n"
      "within quantization error of the base's. `reap_metadata.json` is compared when it is "
      "there.\n"
      "\nExamples:\n"
      "  ckpt-check prune-verify ./MyModel-REAP-262B --base ./MyModel-397B\n"
      "  ckpt-check prune-verify ./MyModel-REAP-W4A16 --base ./MyModel-397B --json\n");
  return c;
}

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
  if (!global.reproducible) {
    r.run.started = timestamp();
    r.run.duration_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  constexpr std::uint64_t kPlaces = 3;
  return deliver({r}, global, kPlaces);
}

}  // namespace ckpt::cli
